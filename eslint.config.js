import eslint from '@eslint/js';
import prettier from 'eslint-config-prettier';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { walls } from './test/lint/rooms.js';

const noDefaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Name every export: a reader should find it by its name.',
};

export default defineConfig(
  { ignores: ['build/', 'dist/', 'out/', 'native/'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-restricted-syntax': ['error', noDefaultExport],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      // `as T` says why it holds in types; `!` is not allowed either
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
    },
  },
  ...walls,
  prettier,
);
