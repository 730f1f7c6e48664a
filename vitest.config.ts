import { defineConfig } from 'vitest/config'

const NOT_UNIT = ['**/node_modules/**', 'test/e2e/**', 'test/interop/**']

/** `unit` runs anywhere in milliseconds; `interop` needs namespaces and foreign clients; `e2e` boots machines; `deep` is the long campaign. */
export default defineConfig({
  test: {
    projects: [
      // milliseconds each; the limit is for a machine that has other things to do
      { test: { name: 'unit', include: ['**/*.test.ts'], exclude: NOT_UNIT, testTimeout: 30_000 } },
      {
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      { test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 900_000, hookTimeout: 900_000, fileParallelism: false } },
      {
        test: { name: 'deep', include: ['test/e2e/**/*.deep.ts'], testTimeout: 1_800_000, hookTimeout: 1_800_000, fileParallelism: false },
      },
    ],
  },
})
