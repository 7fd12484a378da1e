/** The paths and the rule of an admin whose clients have the networks of the lab, as lines of subflowd.ini. */
export const TWO_PATHS = `
[path wifi]
prefix = 192.168.100.0/24
[path lte]
prefix = 192.168.200.0/24
[default]
primary = wifi, lte
`;
