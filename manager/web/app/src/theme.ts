import { Anchor, type CSSVariablesResolver, createTheme, type MantineColorsTuple, Menu } from '@mantine/core'

/** The one accent; status colours are in parts/status.tsx. */
const bridge: MantineColorsTuple = [
  '#e7f3fd',
  '#d0e4f6',
  '#a1c7ea',
  '#6ea8df',
  '#458dd5',
  '#2b7ccf',
  '#1b73cd',
  '#0b62b6',
  '#0057a4',
  '#004b91',
]

export const theme = createTheme({
  primaryColor: 'bridge',
  colors: { bridge },
  primaryShade: { light: 7, dark: 6 },
  defaultRadius: 'sm',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace',
  headings: { fontWeight: '600' },
  autoContrast: true,
  cursorType: 'pointer',
  components: {
    Anchor: Anchor.extend({ defaultProps: { underline: 'always' } }), // among text, colour alone tells too little
    Menu: Menu.extend({ defaultProps: { withInitialFocusPlaceholder: false } }), // its first item has the focus (ARIA practices, menu button)
  },
})

/** Mantine's own grey and the titles of its alerts are too faint for small text (WCAG 2.2, 1.4.3). */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#5c636a',
    '--mantine-color-placeholder': '#6c757d',
    '--mantine-color-error': '#c92a2a',
    '--mantine-color-orange-light-color': '#8f3e00',
    '--mantine-color-green-light-color': '#1f6b2e',
    '--mantine-color-red-light-color': '#a61e1e',
  },
  dark: {
    '--mantine-color-dimmed': '#a6adb4',
    '--mantine-color-placeholder': '#868e96',
    '--mantine-color-error': '#ff8787',
    '--mantine-color-anchor': '#74c0fc',
  },
})
