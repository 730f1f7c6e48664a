import { defineConfig } from 'vitest/config'

const NOT_UNIT = ['**/node_modules/**', 'test/e2e/**', 'test/interop/**']

/** What is waited for comes in milliseconds; a machine that has other things to do may take as long as this. */
const expect = { poll: { timeout: 20_000 } }

/** `unit` runs anywhere in milliseconds; `interop` needs namespaces and foreign clients; `e2e` boots machines; `deep` is the long campaign. */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['**/*.test.ts'], exclude: NOT_UNIT, testTimeout: 30_000, expect } },
      {
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          expect,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 900_000,
          fileParallelism: false,
          expect,
        },
      },
      {
        test: {
          name: 'deep',
          include: ['test/e2e/**/*.deep.ts'],
          testTimeout: 1_800_000,
          hookTimeout: 1_800_000,
          fileParallelism: false,
          expect,
        },
      },
    ],
  },
})
