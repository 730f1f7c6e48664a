import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** `npx vite manager/web/app` serves the source with the API of a manager that runs beside it; `../build.ts` makes what the manager serves. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'], // they know light-dark(); what replaces it for older ones gave no colour at all
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8420', '/setup': 'http://127.0.0.1:8420' } },
})
