import path from 'node:path';

const SRC = path.resolve(import.meta.dirname, '../../src');

/**
 * Which rooms (directories of src) each room may import, besides itself. CONTRIBUTING.md says what each room is. A file
 * that lies directly in src may import every room.
 */
export const ROOMS = {
  model: [],
  util: [],
  native: ['model', 'util'],
  config: ['model', 'util'],
  'kernel/layout': ['model', 'util'],
  'kernel/memory': ['kernel/layout', 'native', 'model'],
  'kernel/commit': ['kernel/memory', 'kernel/layout', 'native', 'model'],
  'kernel/walk': ['kernel/commit', 'kernel/memory', 'kernel/layout', 'native', 'model', 'util'],
  kernel: ['kernel/walk', 'kernel/memory', 'kernel/layout', 'native', 'model'],
  'openvpn/records': ['model', 'util'],
  'openvpn/management': ['openvpn/records', 'native', 'model', 'util'],
  openvpn: ['openvpn/management', 'openvpn/records', 'config', 'model', 'util'],
  backend: [
    'config',
    'kernel',
    'kernel/walk',
    'kernel/commit',
    'kernel/memory',
    'kernel/layout',
    'native',
    'model',
    'util',
  ],
  helper: ['backend', 'native', 'model', 'util'],
  steering: ['config', 'model', 'util'],
  control: ['backend', 'steering', 'config', 'model', 'util'],
  api: ['control', 'steering', 'openvpn', 'config', 'model', 'util'],
  'console/common': ['openvpn/management', 'native', 'model', 'util'],
  'console/text': ['console/common', 'api', 'openvpn', 'openvpn/management', 'config', 'model', 'util'],
  'console/sharing': ['console/common', 'openvpn/management', 'model', 'util'],
  'console/commands': [
    'console/sharing',
    'console/text',
    'console/common',
    'api',
    'openvpn/management',
    'config',
    'model',
    'util',
  ],
  'console/listen': ['console/commands', 'console/common', 'config', 'native', 'model', 'util'],
  'console/terminal': ['console/common', 'api', 'config', 'model', 'util'],
  console: [
    'console/listen',
    'console/commands',
    'console/sharing',
    'console/common',
    'api',
    'openvpn',
    'openvpn/management',
    'config',
    'model',
    'util',
  ],
  doctor: [
    'api',
    'console/terminal',
    'console/common',
    'control',
    'backend',
    'openvpn',
    'config',
    'model',
    'util',
  ],
  setup: ['openvpn', 'openvpn/records', 'config', 'model', 'util'],
};

/** The room of a file below src: the longest name of {@link ROOMS} that it lies under; undefined: directly in src. */
function roomOf(file) {
  const directory = path.dirname(path.relative(SRC, file));
  return Object.keys(ROOMS)
    .filter((room) => directory === room || directory.startsWith(`${room}/`))
    .sort((one, other) => other.length - one.length)[0];
}

/** Refuses an import of a room that is not on the allow-list of the importing file's room. */
const imports = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const own = roomOf(context.filename);
    const check = (node) => {
      const name = node.source?.value;
      if (own === undefined || typeof name !== 'string' || !name.startsWith('.')) return;
      const file = path.resolve(path.dirname(context.filename), name);
      if (!file.startsWith(SRC + path.sep)) return;
      const other = roomOf(file);
      if (other === own || ROOMS[own].includes(other)) return;
      const allowed = ROOMS[own].join(', ') || 'nothing';
      context.report({
        node,
        message: `src/${own} may import ${allowed} from src, but not ${path.relative(SRC, file)}`,
      });
    };
    return {
      ImportDeclaration: check,
      ImportExpression: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
    };
  },
};

const CLOCKS = [
  'Date',
  'performance',
  'process',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
].map((name) => ({ name, message: 'Steering is pure: its caller passes the time, and nothing waits.' }));

/** Of eslint.config.js: the walls between rooms. */
export const walls = [
  {
    files: ['src/**/*.ts'],
    plugins: { rooms: { rules: { imports } } },
    rules: { 'rooms/imports': 'error' },
  },
  {
    // the same snapshot gives the same plan: nothing is read, nothing is written, no clock, no chance
    files: ['src/steering/**/*.ts'],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ regex: '^node:', message: 'Steering is pure.' }] }],
      'no-restricted-globals': ['error', ...CLOCKS],
      'no-restricted-properties': [
        'error',
        {
          object: 'Math',
          property: 'random',
          message: 'Steering is pure: the same input gives the same plan.',
        },
        ...CLOCKS.map(({ name, message }) => ({ object: 'globalThis', property: name, message })),
      ],
    },
  },
];
