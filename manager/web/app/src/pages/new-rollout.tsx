import { Button, Checkbox, Group, NumberInput, Select, Stack, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { randomId } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { api } from '../api/client.ts'
import { releasesQuery, sitesQuery } from '../api/queries.ts'
import { boardName } from '../parts/board.ts'
import { Unshown } from '../parts/form-end.tsx'
import { LinkButton } from '../parts/link.tsx'
import { Empty, Loaded, Page, Section } from '../parts/page.tsx'
import { SelectorInput } from '../parts/selector-input.tsx'
import { useNow } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'
import { nameList, type RolloutWish, rolloutOf, takers, WEEKDAYS } from './rollout-plan.ts'
import { WavesField } from './rollout-waves.tsx'

export function NewRolloutPage() {
  const now = useNow()
  const releases = useQuery(releasesQuery)
  return (
    <Page title="New rollout" answer="A release goes to your sites wave by wave; each wave begins when the one before has settled.">
      <Loaded query={releases}>
        {(all) => {
          const open = all.filter(({ manifest }) => manifest.expiresAt > now)
          return open.length === 0 ? (
            <Empty
              title="There is no release to roll out"
              action={
                <LinkButton to="/updates" search={{ tab: 'images' }}>
                  Choose an image
                </LinkButton>
              }
            >
              Make a release of an image first.
            </Empty>
          ) : (
            <Order releases={open} />
          )
        }}
      </Loaded>
    </Page>
  )
}

interface Choice {
  id: string
  version: string
  board: string
}

function Order({ releases }: { releases: readonly Choice[] }) {
  const { release = releases[0]?.id ?? '' } = useSearch({ from: '/shell/updates/rollouts/new' })
  const navigate = useNavigate()
  const sites = useQuery(sitesQuery)
  const form = useForm<RolloutWish>({
    initialValues: {
      release,
      selector: '',
      waves: [
        { key: randomId(), kind: 'percent', percent: 10, selector: '' },
        { key: randomId(), kind: 'percent', percent: 100, selector: '' },
      ],
      stopAfterFailures: 1,
      hours: false,
      window: { from: '02:00', to: '04:00', timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone, days: [] },
    },
  })
  const save = useSave(async (wish: RolloutWish) => (await api.rollouts.rollouts.$post({ json: rolloutOf(wish) })).json(), {
    old: [['rollouts'], ['sites']],
    form,
    done: ({ id }) => void navigate({ to: '/updates/rollouts/$id', params: { id } }),
  })
  const chosen = releases.find(({ id }) => id === form.values.release)
  const boxes = (sites.data ?? []).map(({ name, tags, appliance }) => ({ name, tags, board: appliance?.booted?.board }))
  const { all, taken, why } = takers(form.values.selector, chosen?.board, boxes)
  return (
    <form onSubmit={form.onSubmit((wish) => save.mutate(wish))}>
      <Stack maw={860}>
        <Section title="What, and where">
          <Select
            label="Release"
            allowDeselect={false}
            data={releases.map(({ id, version, board }) => ({ value: id, label: `${version} for ${boardName(board)}` }))}
            {...form.getInputProps('release')}
            maw={420}
          />
          <SelectorInput
            label="Sites"
            description="A selector over sites' tags; empty means all with such a box."
            placeholder="region=nuremberg, !pilot"
            spellCheck={false}
            {...form.getInputProps('selector')}
          />
          <Text size="sm" role="status">
            {all.length === 0
              ? `No site has a ${boardName(chosen?.board)} box that has told of itself yet.`
              : `Takes ${taken.length} of ${all.length} ${all.length === 1 ? 'site' : 'sites'} with such a box: ${nameList(taken.map(({ name }) => name))}.`}
          </Text>
        </Section>
        <WavesField form={form} taken={taken} />
        <Section title="Care">
          <NumberInput
            label="Stop after failed sites"
            description="Nobody else is told then, and whoever has not switched yet is called back."
            min={1}
            maw={280}
            {...form.getInputProps('stopAfterFailures')}
          />
          <Checkbox
            label="Restart boxes in these hours only"
            description="They fetch it at once, and wait for the hours to switch."
            {...form.getInputProps('hours', { type: 'checkbox' })}
          />
          {form.values.hours && <Hours form={form} />}
        </Section>
        <Unshown error={save.error} shown={['release', 'selector', 'waves', 'stopAfterFailures', 'window']} />
        <Group>
          <Button type="submit" loading={save.isPending} disabled={why !== undefined}>
            Roll it out
          </Button>
          <LinkButton to="/updates" variant="default">
            Not now
          </LinkButton>
        </Group>
      </Stack>
    </form>
  )
}

function Hours({ form }: { form: ReturnType<typeof useForm<RolloutWish>> }) {
  return (
    <Stack gap="sm">
      <Group align="flex-start">
        <TextInput type="time" label="From" {...form.getInputProps('window.from')} />
        <TextInput type="time" label="Until" {...form.getInputProps('window.to')} />
        <TextInput label="Time zone" {...form.getInputProps('window.timeZone')} />
      </Group>
      <Checkbox.Group label="On these days" description="None means every day." {...form.getInputProps('window.days')}>
        <Group mt="xs">
          {WEEKDAYS.map((name, day) => (
            <Checkbox key={name} value={String(day)} label={name} />
          ))}
        </Group>
      </Checkbox.Group>
    </Stack>
  )
}
