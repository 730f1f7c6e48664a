import { Group, Text } from '@mantine/core'
import classes from './share-bar.module.css'
import { Mark, type Tone, toneColour } from './status.tsx'

export interface Share {
  words: string
  tone: Tone
  count: number
  /** The same colour, but less of it. */
  faint?: boolean
}

/** How many of all are in which state, as one bar; the words under it say the same with shapes. */
export function ShareBar({ shares, legend = false }: { shares: readonly Share[]; legend?: boolean }) {
  const shown = shares.filter(({ count }) => count > 0)
  const label = shown.map(({ count, words }) => `${count} ${words}`).join(', ')
  return (
    <div>
      <div className={classes.bar} data-thin={legend ? undefined : true} role="img" aria-label={label === '' ? 'no site' : label}>
        {shown
          .filter(({ tone }) => tone !== 'quiet')
          .map(({ words, tone, count, faint }) => (
            <span
              className={classes.part}
              key={words}
              style={{ flexGrow: count, background: toneColour(tone), opacity: faint ? 0.5 : 1 }}
            />
          ))}
        <span style={{ flexGrow: shown.filter(({ tone }) => tone === 'quiet').reduce((sum, { count }) => sum + count, 0) }} />
      </div>
      {legend && (
        <Group gap="lg" mt="xs">
          {shown.map(({ words, tone, count }) => (
            <Group gap={6} key={words} wrap="nowrap">
              <Mark tone={tone} />
              <Text size="sm">
                {count} {words}
              </Text>
            </Group>
          ))}
        </Group>
      )}
    </div>
  )
}
