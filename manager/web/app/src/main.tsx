import '@mantine/core/styles.css'
import '@mantine/notifications/styles.css'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { nonce } from './nonce.ts'

// Where react-style-singleton, by which Mantine's modals keep the page from scrolling, looks for it (get-nonce).
Object.assign(globalThis, { __webpack_nonce__: nonce() })

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')
createRoot(root).render(<App />)
