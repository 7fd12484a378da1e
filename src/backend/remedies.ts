/** For an error whose cause we do not know. */
export const REPORT_THIS = 'report this, with the output of subflowd doctor --json';
