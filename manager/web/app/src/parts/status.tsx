import { Group, Text } from '@mantine/core'
import type { ReactNode } from 'react'

/** Four states, each with a colour and a shape of its own, so that none needs colour to be told from the others. */
export type Tone = 'ok' | 'busy' | 'attention' | 'failed' | 'quiet'

const LOOK: Record<Tone, { colour: string; shape: ReactNode; word: string }> = {
  ok: { colour: 'light-dark(#2b8a3e, #69db7c)', shape: <circle cx="6" cy="6" r="5" />, word: 'fine' },
  busy: {
    colour: 'light-dark(#1864ab, #74c0fc)',
    shape: <path d="M6 1a5 5 0 1 1-5 5" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />,
    word: 'busy',
  },
  attention: { colour: 'light-dark(#b35900, #ffc078)', shape: <path d="M6 .8 11.6 11H.4z" />, word: 'needs attention' },
  failed: {
    colour: 'light-dark(#c92a2a, #ff8787)',
    shape: <path d="m2 2 8 8m0-8-8 8" stroke="currentColor" strokeWidth="2.6" strokeLinecap="round" />,
    word: 'failed',
  },
  quiet: {
    colour: 'light-dark(#5c636a, #adb5bd)',
    shape: <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" strokeWidth="2" />,
    word: 'not active',
  },
}

export const toneColour = (tone: Tone) => LOOK[tone].colour

export function Mark({ tone }: { tone: Tone }) {
  const { colour, shape, word } = LOOK[tone]
  return (
    <svg
      width="12"
      height="12"
      viewBox="0 0 12 12"
      fill="currentColor"
      role="img"
      aria-label={word}
      style={{ color: colour, flex: 'none' }}
    >
      {shape}
    </svg>
  )
}

export function Status({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <Group gap={6} wrap="nowrap" component="span" display="inline-flex">
      <Mark tone={tone} />
      <Text component="span" size="sm">
        {children}
      </Text>
    </Group>
  )
}
