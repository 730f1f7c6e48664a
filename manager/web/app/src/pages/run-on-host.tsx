import { tooLong } from '@bridgehead/shared/model/script-text.ts'
import { Button, Group, Select, Stack, Textarea } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '../api/client.ts'
import { runQuery, scriptsQuery } from '../api/queries.ts'
import { ProblemAlert } from '../parts/page.tsx'
import { RunOutput } from '../parts/run-output.tsx'
import { useSave } from '../parts/use-save.ts'
import type { Host } from '../verdict.ts'

/** A kept script, or a few lines typed here; its output streams in below. */
export function RunOnHost({ host }: { host: Host }) {
  const scripts = useQuery(scriptsQuery)
  const [script, setScript] = useState<string | null>(null)
  const [text, setText] = useState('uptime\ndf -h /\n')
  const [run, setRun] = useState<string>()
  const start = useSave(
    async () => (await api.runs.runs.$post({ json: { hosts: [host.id], ...(script === null ? { text } : { script }) } })).json(),
    { old: [['runs']], done: ({ id }) => setRun(id) },
  )
  return (
    <Stack maw={900}>
      <Select
        label="Script"
        placeholder="typed below"
        clearable
        data={(scripts.data ?? []).filter(({ kind }) => kind === 'bash').map(({ id, name }) => ({ value: id, label: name }))}
        value={script}
        onChange={setScript}
        maw={420}
      />
      {script === null && (
        <Textarea
          label="Commands (bash)"
          autosize
          minRows={3}
          maxRows={16}
          value={text}
          error={tooLong(text.length)}
          onChange={(event) => setText(event.currentTarget.value)}
          ff="monospace"
          spellCheck={false}
        />
      )}
      <Group>
        <Button
          onClick={() => start.mutate(undefined)}
          loading={start.isPending}
          disabled={script === null && (text.trim() === '' || tooLong(text.length) !== undefined)}
        >
          Run on {host.name}
        </Button>
      </Group>
      {start.error && <ProblemAlert error={start.error} />}
      {run !== undefined && <LiveRun id={run} />}
    </Stack>
  )
}

function LiveRun({ id }: { id: string }) {
  const run = useQuery(runQuery(id))
  return run.data ? <RunOutput run={run.data} /> : null
}
