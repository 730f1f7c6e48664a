import { tooLong } from '@bridgehead/shared/model/script-text.ts'
import { Button, Code, Group, Stack, Table, Textarea } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { api } from '../api/client.ts'
import { runQuery, runsQuery } from '../api/queries.ts'
import { Link } from '../parts/link.tsx'
import { ListTable } from '../parts/list-table.tsx'
import { Empty, Loaded, Page, ProblemAlert, Section } from '../parts/page.tsx'
import { RunOutput } from '../parts/run-output.tsx'
import { readSelector } from '../parts/selector.ts'
import { SelectorInput } from '../parts/selector-input.tsx'
import { Status, type Tone } from '../parts/status.tsx'
import { Ago } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'

const countWords = (counts: Record<string, number>) =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ')
const tone = ({ done, counts }: { done: boolean; counts: Record<string, number> }): Tone =>
  !done ? 'busy' : (counts.failed ?? 0) + (counts.expired ?? 0) > 0 ? 'failed' : 'ok'

export function RunsPage() {
  const runs = useQuery(runsQuery)
  return (
    <Page
      title="Runs"
      answer="A bash script on many machines at once, through their sites; a site that is away gets it when it comes back."
    >
      <NewRun />
      <Loaded query={runs}>
        {(items) =>
          items.length === 0 ? (
            <Empty title="Nothing was run yet">Type a selector and a few commands above.</Empty>
          ) : (
            <ListTable heads={['Run', 'State', 'Machines', 'By', 'When']} minWidth={600}>
              {items.map((run) => (
                <Table.Tr key={run.id}>
                  <Table.Td>
                    <Link to="/runs/$id" params={{ id: run.id }} size="sm">
                      {run.selector === undefined ? 'chosen machines' : run.selector || 'all machines'}
                    </Link>
                  </Table.Td>
                  <Table.Td>
                    <Status tone={tone(run)}>{run.done ? 'done' : 'under way'}</Status>
                  </Table.Td>
                  <Table.Td>{countWords(run.counts)}</Table.Td>
                  <Table.Td>{run.createdBy}</Table.Td>
                  <Table.Td>
                    <Ago at={run.createdAt} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </ListTable>
          )
        }
      </Loaded>
    </Page>
  )
}

function NewRun() {
  const navigate = useNavigate()
  const [selector, setSelector] = useState('')
  const [text, setText] = useState('')
  const { wrong } = readSelector(selector)
  const long = tooLong(text.length)
  const start = useSave(async () => (await api.runs.runs.$post({ json: { selector, text } })).json(), {
    old: [['runs']],
    done: ({ id }) => void navigate({ to: '/runs/$id', params: { id } }),
  })
  return (
    <Section title="Run a script">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (!wrong && !long) start.mutate(undefined)
        }}
      >
        <Stack>
          <SelectorInput
            label="On which machines"
            description="A selector over tags; empty means every installed machine of every site."
            placeholder="site=shop-7, role in (edge,db)"
            value={selector}
            onChange={(event) => setSelector(event.currentTarget.value)}
          />
          <Textarea
            label="Commands (bash)"
            required
            autosize
            minRows={3}
            maxRows={16}
            value={text}
            error={long}
            onChange={(event) => setText(event.currentTarget.value)}
            spellCheck={false}
          />
          {start.error && <ProblemAlert error={start.error} />}
          <Group>
            <Button type="submit" loading={start.isPending} disabled={text.trim() === '' || wrong !== undefined || long !== undefined}>
              Run
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  )
}

export function RunPage() {
  const { id } = useParams({ from: '/shell/runs/$id' })
  const run = useQuery(runQuery(id))
  return (
    <Loaded query={run}>
      {(found) => (
        <Page
          title="Run"
          answer={<Status tone={tone(found)}>{`${found.done ? 'Done' : 'Under way'}: ${countWords(found.counts)}`}</Status>}
        >
          <Section title="Script">
            <Code block>{found.text}</Code>
          </Section>
          <Section title="Output">
            <RunOutput run={found} />
          </Section>
        </Page>
      )}
    </Loaded>
  )
}
