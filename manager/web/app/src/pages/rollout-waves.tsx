import type { Tags } from '@bridgehead/shared/model/tags.ts'
import { Button, Group, NumberInput, SegmentedControl, Text } from '@mantine/core'
import type { UseFormReturnType } from '@mantine/form'
import { randomId } from '@mantine/hooks'
import { Section } from '../parts/page.tsx'
import { SelectorInput } from '../parts/selector-input.tsx'
import { type RolloutWish, waveWords } from './rollout-plan.ts'

/** The waves of a rollout, in their order: each a share of all sites, or those with some tags. */
export function WavesField({
  form,
  taken,
}: {
  form: UseFormReturnType<RolloutWish>
  /** Sites that the rollout takes. */
  taken: readonly { name: string; tags: Tags; board: string | undefined }[]
}) {
  const { waves } = form.values
  return (
    <Section
      title="Waves"
      actions={
        <Button
          size="xs"
          variant="default"
          onClick={() =>
            form.insertListItem('waves', { key: randomId(), kind: 'selector', percent: 50, selector: '' }, Math.max(0, waves.length - 1))
          }
        >
          Add a wave
        </Button>
      }
    >
      {waves.map((wave, index) => {
        return (
          <Group key={wave.key} align="flex-start" role="group" aria-label={`Wave ${index + 1}`} gap="sm">
            <Text size="sm" fw={500} w={56} mt={8}>
              Wave {index + 1}
            </Text>
            <SegmentedControl
              aria-label={`Wave ${index + 1} takes`}
              data={[
                { value: 'percent', label: 'A share' },
                { value: 'selector', label: 'By tags' },
              ]}
              {...form.getInputProps(`waves.${index}.kind`)}
            />
            {wave.kind === 'percent' ? (
              <NumberInput
                aria-label={`Share of wave ${index + 1}`}
                suffix=" %"
                min={1}
                max={100}
                w={110}
                {...form.getInputProps(`waves.${index}.percent`)}
              />
            ) : (
              <SelectorInput
                aria-label={`Tags of wave ${index + 1}`}
                placeholder="ring=canary"
                w={240}
                {...form.getInputProps(`waves.${index}.selector`)}
              />
            )}
            <Text size="sm" c="dimmed" flex="1 1 10rem" mt={8}>
              {waveWords(wave, taken)}
            </Text>
            {waves.length > 1 && (
              <Button
                size="compact-sm"
                mt={6}
                variant="subtle"
                onClick={() => form.removeListItem('waves', index)}
                aria-label={`Remove wave ${index + 1}`}
              >
                Remove
              </Button>
            )}
          </Group>
        )
      })}
      <Text size="sm" c="dimmed">
        A share counts the sites of the waves before it, too: after a wave of 50 % half of all sites have it. Sites that no wave takes are
        never told.
      </Text>
    </Section>
  )
}
