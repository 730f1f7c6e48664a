import type { ScriptVariables } from '@bridgehead/shared/boot/scripts.ts'
import { tooLong } from '@bridgehead/shared/model/script-text.ts'
import { Alert, Button, Code, Group, Select, Stack, Tabs, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { api } from '../api/client.ts'
import { hostsQuery, scriptQuery, scriptVersionsQuery } from '../api/queries.ts'
import { ConfirmByName } from '../parts/confirm.tsx'
import { Difference, Editor } from '../parts/editor.tsx'
import { Loaded, Page, ProblemAlert } from '../parts/page.tsx'
import { useSave } from '../parts/use-save.ts'
import type { Host } from '../verdict.ts'

export function ScriptPage() {
  const { id } = useParams({ from: '/shell/scripts/$id' })
  const script = useQuery(scriptQuery(id))
  return <Loaded query={script}>{(found) => <ScriptView script={found} key={found.id} />}</Loaded>
}

interface Script {
  id: string
  name: string
  kind: 'ipxe' | 'preseed' | 'kickstart' | 'cloud-init' | 'bash'
  version: number
  text: string
}

function ScriptView({ script }: { script: Script }) {
  const navigate = useNavigate()
  const { version } = useSearch({ from: '/shell/scripts/$id' })
  const [base, setBase] = useState(script)
  const [start, setStart] = useState({ text: script.text })
  const [text, setText] = useState(script.text)
  const [deleting, { open, close }] = useDisclosure(false)
  const versions = useQuery(scriptVersionsQuery(script.id))
  const old = useQuery({ ...scriptQuery(script.id, version ?? script.version), enabled: version !== undefined })
  const save = useSave(
    async () =>
      (
        await api.scripts.scripts[':id'].$put({
          param: { id: script.id },
          json: { name: script.name, kind: script.kind, text, version: base.version },
        })
      ).json(),
    { old: [['scripts']], done: setBase },
  )
  const remove = useSave(async () => api.scripts.scripts[':id'].$delete({ param: { id: script.id } }), {
    old: [['scripts']],
    done: () => void navigate({ to: '/scripts' }),
  })
  const others = script.version > base.version
  const long = tooLong(text.length)
  const changed = text !== base.text
  const adopt = (theirs: Script) => {
    setBase(theirs)
    setStart({ text: theirs.text })
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: a newer version is what matters; where nothing was typed it is simply shown
  useEffect(() => {
    if (others && !changed) adopt(script)
  }, [script.version])
  return (
    <Page
      title={script.name}
      answer={`${script.kind}, version ${script.version}${changed ? ', changed here and not saved' : ''}`}
      actions={
        <>
          <Button variant="default" onClick={open}>
            Delete ...
          </Button>
          <Button onClick={() => save.mutate(undefined)} loading={save.isPending} disabled={!changed || others || long !== undefined}>
            Save version {base.version + 1}
          </Button>
        </>
      }
    >
      {others && changed && (
        <Alert color="orange" variant="light" title={`Version ${script.version} was saved elsewhere`} role="alert">
          <Stack gap="xs">
            <Text size="sm">Theirs is on the left, yours on the right. Nothing is overwritten: saving makes another version.</Text>
            <Difference before={script.text} after={text} kind={script.kind} />
            <Group>
              <Button size="xs" variant="default" onClick={() => adopt(script)}>
                Take theirs
              </Button>
              <Button size="xs" onClick={() => setBase(script)}>
                Go on with mine
              </Button>
            </Group>
          </Stack>
        </Alert>
      )}
      {save.error && !others && <ProblemAlert error={save.error} />}
      <Tabs defaultValue={version === undefined ? 'text' : 'versions'} keepMounted={false}>
        <Tabs.List mb="sm">
          <Tabs.Tab value="text">Text</Tabs.Tab>
          <Tabs.Tab value="preview">Preview</Tabs.Tab>
          <Tabs.Tab value="versions">Versions ({versions.data?.length ?? 1})</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="text" keepMounted>
          <Editor start={start} kind={script.kind} label={`Text of ${script.name}`} error={long} onChange={setText} />
        </Tabs.Panel>
        <Tabs.Panel value="preview">
          {changed && <Text size="sm">The preview shows the saved version {base.version}.</Text>}
          <Preview script={script} />
        </Tabs.Panel>
        <Tabs.Panel value="versions">
          <Stack>
            <Select
              label="Compare the newest version with"
              data={(versions.data ?? [])
                .filter((one) => one.version !== script.version)
                .map((one) => ({
                  value: String(one.version),
                  label: `version ${one.version}, ${new Date(one.createdAt).toLocaleString()}`,
                }))}
              value={version === undefined ? null : String(version)}
              onChange={(value) =>
                void navigate({
                  to: '/scripts/$id',
                  params: { id: script.id },
                  search: value === null ? {} : { version: Number(value) },
                  replace: true,
                })
              }
              placeholder="choose a version"
              maw={420}
            />
            {old.data && version !== undefined && (
              <>
                <Difference before={old.data.text} after={script.text} kind={script.kind} />
                <Group>
                  <Button variant="default" size="xs" onClick={() => setStart({ text: old.data.text })}>
                    Put version {version} into the editor
                  </Button>
                </Group>
              </>
            )}
          </Stack>
        </Tabs.Panel>
      </Tabs>
      <ConfirmByName
        opened={deleting}
        onClose={close}
        act="Delete"
        name={script.name}
        goes="All its versions go. A script that a profile uses cannot be deleted."
        confirm={() => remove.mutateAsync(undefined)}
      />
    </Page>
  )
}

/** What a host would get: the template with that host's own values. */
function Preview({ script }: { script: Script }) {
  const hosts = useQuery(hostsQuery)
  const [id, setId] = useState<string | null>(null)
  const host = hosts.data?.find((one) => one.id === id)
  const rendered = useQuery({
    queryKey: ['scripts', script.id, 'render', script.version, id ?? ''],
    queryFn: async () =>
      (
        await api.scripts.scripts[':id'].render.$post({
          param: { id: script.id },
          json: { variables: host ? { ...variablesOf(host) } : {} },
        })
      ).json(),
  })
  return (
    <Stack>
      <Select
        label="As seen by"
        placeholder="no machine in particular"
        searchable
        clearable
        limit={100}
        data={(hosts.data ?? []).map((one) => ({ value: one.id, label: `${one.name} (${one.siteName})` }))}
        value={id}
        onChange={setId}
        maw={420}
      />
      <Loaded query={rendered}>
        {({ text }) => (
          <Code block aria-label="Rendered text">
            {text}
          </Code>
        )}
      </Loaded>
    </Stack>
  )
}

/** What a template of this host gets, as far as that is known before a boot; what only a boot tells is shown as `<...>`. */
const variablesOf = (host: Host): ScriptVariables => {
  const server = 'http://<appliance>'
  return {
    server,
    host: { id: host.id, name: host.name, mac: host.macs[0] ?? '', platform: host.facts.platform ?? 'unknown', tags: host.effectiveTags },
    site: { id: host.site, name: host.siteName, tags: {} },
    boot: { id: '<boot>', token: '<token>' },
    profile: { name: host.profile ?? '<profile>', version: 1, vars: {} },
    kernel: { url: `${server}/artifacts/<kernel>` },
    initrd: { url: `${server}/artifacts/<initrd>` },
    cmdline: `bridgehead.server=${server} bridgehead.boot=<boot> bridgehead.token=<token> bridgehead.mac=${host.macs[0] ?? ''}`,
  }
}
