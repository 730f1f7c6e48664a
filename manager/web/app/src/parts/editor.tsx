import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { bracketMatching, defaultHighlightStyle, HighlightStyle, StreamLanguage, syntaxHighlighting } from '@codemirror/language'
import { shell } from '@codemirror/legacy-modes/mode/shell'
import { yaml } from '@codemirror/legacy-modes/mode/yaml'
import { MergeView } from '@codemirror/merge'
import { search, searchKeymap } from '@codemirror/search'
import { Compartment, EditorState, type Extension } from '@codemirror/state'
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view'
import { Text, useComputedColorScheme } from '@mantine/core'
import { useEffect, useId, useRef, useState } from 'react'
import { nonce } from '../nonce.ts'

export type ScriptKind = 'ipxe' | 'preseed' | 'kickstart' | 'cloud-init' | 'bash'

const frame = EditorView.theme({
  '&': {
    fontSize: '13px',
    border: '1px solid var(--mantine-color-default-border)',
    borderRadius: '4px',
    background: 'var(--mantine-color-body)',
  },
  '.cm-scroller': { fontFamily: 'var(--mantine-font-family-monospace)', minHeight: '200px', maxHeight: '60vh' },
  '.cm-gutters': { background: 'transparent', color: 'var(--mantine-color-dimmed)', border: 'none' },
  '.cm-activeLine': { background: 'light-dark(#1864ab0d, #ffffff0a)' },
  '.cm-cursor': { borderLeftColor: 'var(--mantine-color-text)' },
})
const darkColours = HighlightStyle.define(
  defaultHighlightStyle.specs.map((spec) => ({ ...spec, color: spec.color === undefined ? undefined : 'light-dark(#000, #a5d8ff)' })),
)

const common = (kind: ScriptKind, dark: boolean): Extension[] => [
  lineNumbers(),
  history(),
  drawSelection(),
  bracketMatching(),
  highlightActiveLine(),
  search(),
  keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap]), // Tab stays with the page, so that the keyboard gets out
  StreamLanguage.define(kind === 'cloud-init' ? yaml : shell),
  syntaxHighlighting(dark ? darkColours : defaultHighlightStyle),
  frame,
  EditorView.cspNonce.of(nonce()),
]

/** A text of code. `onChange` gets the whole text; another `start` replaces it, as a change that can be undone. */
export function Editor(props: {
  start: { text: string }
  kind: ScriptKind
  label: string
  /** Said below; the text cannot be taken as it is. */
  error?: string | undefined
  onChange(text: string): void
}) {
  const { start, kind, label, error, onChange } = props
  const place = useRef<HTMLDivElement>(null)
  const editor = useRef<EditorView>(null)
  const began = useRef(start)
  const change = useRef(onChange)
  change.current = onChange
  const errorId = useId()
  const [attributes] = useState(() => new Compartment())
  const dark = useComputedColorScheme('light') === 'dark'
  useEffect(() => {
    if (!place.current) return
    const view = new EditorView({
      parent: place.current,
      state: EditorState.create({
        doc: editor.current?.state.doc ?? began.current.text, // other colours, the same text
        extensions: [
          common(kind, dark),
          attributes.of([]),
          EditorView.updateListener.of((update) => update.docChanged && change.current(update.state.doc.toString())),
        ],
      }),
    })
    editor.current = view
    return () => view.destroy()
  }, [kind, dark, attributes])
  useEffect(() => {
    const view = editor.current
    if (began.current === start || !view) return
    began.current = start
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: start.text } })
  }, [start])
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new view has them not yet
  useEffect(() => {
    const wrong = error === undefined ? {} : { 'aria-invalid': 'true', 'aria-describedby': errorId }
    editor.current?.dispatch({
      effects: attributes.reconfigure(EditorView.contentAttributes.of({ 'aria-label': label, ...wrong })),
    })
  }, [attributes, label, error, errorId, kind, dark])
  return (
    <div>
      <div ref={place} />
      {error !== undefined && (
        <Text c="red" size="sm" mt={4} id={errorId} role="alert">
          {error}
        </Text>
      )}
    </div>
  )
}

/** Two versions side by side. */
export function Difference({ before, after, kind }: { before: string; after: string; kind: ScriptKind }) {
  const place = useRef<HTMLDivElement>(null)
  const dark = useComputedColorScheme('light') === 'dark'
  useEffect(() => {
    if (!place.current) return
    const extensions = [common(kind, dark), EditorState.readOnly.of(true), EditorView.editable.of(false)]
    const view = new MergeView({
      parent: place.current,
      a: { doc: before, extensions },
      b: { doc: after, extensions },
      collapseUnchanged: { margin: 3 },
    })
    return () => view.destroy()
  }, [before, after, kind, dark])
  return <div ref={place} />
}
