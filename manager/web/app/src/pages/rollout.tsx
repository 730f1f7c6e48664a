import { Button, Group, Stack, Table, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { api } from '../api/client.ts'
import { rolloutQuery } from '../api/queries.ts'
import { boardName } from '../parts/board.ts'
import { ConfirmByName } from '../parts/confirm.tsx'
import { Link } from '../parts/link.tsx'
import { ListTable } from '../parts/list-table.tsx'
import { Facts, Loaded, Page, ProblemAlert, Section } from '../parts/page.tsx'
import { ShareBar } from '../parts/share-bar.tsx'
import { Status } from '../parts/status.tsx'
import { Ago } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'
import { nameList, windowWords } from './rollout-plan.ts'
import {
  atStop,
  OUTCOME_TONES,
  OUTCOME_WORDS,
  OUTCOMES,
  type Rollout,
  type RolloutSite,
  rolloutWords,
  STATE_TONES,
  siteWords,
  type WaveView,
  wavesOf,
} from './rollout-words.ts'

export function RolloutPage() {
  const { id } = useParams({ from: '/shell/updates/rollouts/$id' })
  const rollout = useQuery(rolloutQuery(id))
  return <Loaded query={rollout}>{(found) => <RolloutView rollout={found} />}</Loaded>
}

const OLD = [['rollouts'], ['sites']]

function RolloutView({ rollout }: { rollout: Rollout }) {
  const { id, release, state } = rollout
  const param = { id }
  const [stopping, { open, close }] = useDisclosure(false)
  const [passing, setPassing] = useState<RolloutSite>()
  const pause = useSave(async () => api.rollouts.rollouts[':id'].pause.$post({ param }), { old: OLD })
  const resume = useSave(async () => api.rollouts.rollouts[':id'].resume.$post({ param }), { old: OLD })
  const stop = useSave(async () => api.rollouts.rollouts[':id'].stop.$post({ param }), { old: OLD })
  const skip = useSave(async (site: string) => api.rollouts.rollouts[':id'].sites[':site'].skip.$post({ param: { id, site } }), {
    old: OLD,
  })
  const goesOn = state === 'running' || state === 'paused'
  const error = pause.error ?? resume.error
  return (
    <Page
      title={`Rollout of ${release.version}`}
      answer={<Status tone={STATE_TONES[state]}>{rolloutWords(rollout)}</Status>}
      actions={
        goesOn && (
          <>
            {state === 'running' ? (
              <Button variant="default" onClick={() => pause.mutate(undefined)} loading={pause.isPending}>
                Pause
              </Button>
            ) : (
              <Button onClick={() => resume.mutate(undefined)} loading={resume.isPending}>
                Resume
              </Button>
            )}
            <Button variant="default" color="red" onClick={open}>
              Stop ...
            </Button>
          </>
        )
      }
    >
      {error && <ProblemAlert error={error} />}
      <Section title="All sites">
        <ShareBar legend shares={sharesOf(rollout.sites)} />
        <Facts
          rows={[
            ['Release', `${release.version} for ${boardName(release.board)}`],
            ['Sites', rollout.selector === '' ? 'all with such a box' : rollout.selector],
            ['Stops after', rollout.stopAfterFailures === 1 ? 'the first failed site' : `${rollout.stopAfterFailures} failed sites`],
            ['Restarts', windowWords(rollout.window)],
            [
              'Ordered',
              <span key="ordered">
                by {rollout.createdBy}, <Ago at={rollout.createdAt} span />
              </span>,
            ],
          ]}
        />
      </Section>
      {wavesOf(rollout).map((wave) => (
        <Wave key={wave.index ?? 'none'} wave={wave} rollout={rollout} pass={goesOn ? setPassing : undefined} />
      ))}
      <ConfirmByName
        opened={stopping}
        onClose={close}
        act="Stop rollout"
        name={release.version}
        goes={stopWords(rollout)}
        confirm={() => stop.mutateAsync(undefined)}
      />
      <ConfirmByName
        opened={passing !== undefined}
        onClose={() => setPassing(undefined)}
        act="Pass over"
        name={passing?.name ?? ''}
        goes={`The next wave does not wait for it, its failure does not count, and it is not told unless it has switched already. This rollout does not take it up again.`}
        confirm={() => skip.mutateAsync(passing?.site ?? '')}
      />
    </Page>
  )
}

function stopWords({ sites, release }: Rollout): string {
  const { back, on, never } = atStop(sites)
  return [
    back.length > 0
      ? `${nameList(back)} ${back.length === 1 ? 'is' : 'are'} called back before ${back.length === 1 ? 'it switches' : 'they switch'}.`
      : '',
    on.length > 0 ? `${nameList(on)} ${on.length === 1 ? 'has' : 'have'} switched already, and ${on.length === 1 ? 'goes' : 'go'} on.` : '',
    never.length > 0 ? `${nameList(never)} will not be told.` : '',
    `Sites that run ${release.version} keep it. A stopped rollout cannot be resumed; order another one.`,
  ]
    .filter((part) => part !== '')
    .join(' ')
}

const sharesOf = (sites: readonly RolloutSite[]) =>
  OUTCOMES.map((outcome) => ({
    words: OUTCOME_WORDS[outcome],
    tone: OUTCOME_TONES[outcome],
    faint: outcome === 'told',
    count: sites.filter((site) => site.outcome === outcome).length,
  }))

/** Waves stand one below the other, and so do their columns. */
const WIDTHS = ['19%', '38%', '17%', '14%', '12%']
/** Longer waves show the rest when asked. */
const SHOWN_SITES = 50

function Wave({ wave, rollout, pass }: { wave: WaveView; rollout: Rollout; pass: ((site: RolloutSite) => void) | undefined }) {
  const [all, setAll] = useState(false)
  const { sites, verdict, index, name } = wave
  const shown = all ? sites : sites.slice(0, SHOWN_SITES)
  return (
    <Section
      title={index === undefined ? 'In no wave' : `Wave ${index + 1}: ${name}`}
      actions={<Status tone={verdict.tone}>{verdict.words}</Status>}
    >
      {index === undefined && (
        <Text size="sm">No wave takes these sites, so that they are never told. Order another rollout for them.</Text>
      )}
      {sites.length > 0 && (
        <Stack gap="xs">
          <ShareBar shares={sharesOf(sites)} />
          <ListTable heads={['Site', 'How far', 'Really runs', 'Told', '']} widths={WIDTHS} minWidth={600}>
            {shown.map((site) => (
              <SiteRow key={site.site} site={site} rollout={rollout} pass={pass} />
            ))}
          </ListTable>
        </Stack>
      )}
      {shown.length < sites.length && (
        <Group>
          <Button size="compact-sm" variant="subtle" onClick={() => setAll(true)}>
            Show all {sites.length}
          </Button>
        </Group>
      )}
    </Section>
  )
}

function SiteRow({ site, rollout, pass }: { site: RolloutSite; rollout: Rollout; pass: ((site: RolloutSite) => void) | undefined }) {
  const { tone, words } = siteWords(site, rollout)
  const { booted, toldAt } = site
  return (
    <Table.Tr>
      <Table.Td>
        <Link to="/sites/$id" params={{ id: site.site }} size="sm" fw={500}>
          {site.name}
        </Link>
      </Table.Td>
      <Table.Td>
        <Status tone={tone}>{words}</Status>
      </Table.Td>
      <Table.Td>
        {booted ? `${booted.version ?? 'an unknown version'}${booted.slot === undefined ? '' : `, slot ${booted.slot}`}` : '–'}
      </Table.Td>
      <Table.Td>{toldAt === undefined ? '–' : <Ago at={toldAt} />}</Table.Td>
      <Table.Td>
        {pass && !site.skipped && site.outcome !== 'committed' && (
          <Button size="compact-xs" variant="subtle" onClick={() => pass(site)} aria-label={`Pass over ${site.name}`}>
            Pass over ...
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  )
}
