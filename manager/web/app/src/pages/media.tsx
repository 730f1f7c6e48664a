import { formatBytes } from '@bridgehead/shared/text/format.ts'
import { Button, Checkbox, Code, Group, SegmentedControl, Select, Stack, Table, Text, Textarea, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { Made } from '../../../../engines/jobs/requests.ts'
import { forget, mediaQuery, oneMediaQuery, send } from '../api/made.ts'
import { sitesQuery } from '../api/queries.ts'
import { ConfirmByName } from '../parts/confirm.tsx'
import { Unshown } from '../parts/form-end.tsx'
import { ListTable } from '../parts/list-table.tsx'
import { LogView } from '../parts/log-view.tsx'
import { followed, underWay } from '../parts/made.ts'
import { CancelMaking, Making } from '../parts/making.tsx'
import { Empty, Loaded, Page, Section } from '../parts/page.tsx'
import { RemoveButton } from '../parts/remove-button.tsx'
import { Ago } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'
import { type MediaWish, recipeOf } from './media-recipe.ts'

const OUTPUTS = [
  ['iso', 'ISO', 'CD, virtual media, USB stick: PC and UEFI'],
  ['usb', 'USB image', 'GPT: BIOS and UEFI'],
  ['pi', 'Raspberry Pi image', 'Pi 3, 4 and 5'],
  ['pxe', 'PXE set', 'for a DHCP server that you have'],
  ['secure-boot', 'Secure Boot set', "Debian's signed shim and GRUB"],
  ['bundle', 'Offline bundle', 'everything a site without uplink needs'],
] as const

const MEDIA = { path: 'media', event: 'media' } as const
const nameOf = ({ recipe }: { recipe: { name?: string | undefined; outputs: string[] } }) => recipe.name ?? recipe.outputs.join(', ')

export function MediaPage() {
  const media = useQuery(mediaQuery)
  return (
    <Page
      title="Media"
      answer="Boot media of one recipe: for machines that cannot boot from the network, or whose DHCP server is not yours."
    >
      <NewMedia />
      <Loaded query={media}>
        {(items) =>
          items.length === 0 ? (
            <Empty title="No media yet">Choose what it boots into above; an ISO takes about a second.</Empty>
          ) : (
            <MediaList items={items} />
          )
        }
      </Loaded>
    </Page>
  )
}

function MediaList({ items }: { items: readonly { hash: string; state: Made['state'] }[] }) {
  const live = followed(items)
  const [going, setGoing] = useState<{ hash: string; name: string }>()
  const remove = useSave(async (hash: string) => forget(`/media/${hash}`), { old: [['media']] })
  return (
    <>
      {items.map(({ hash }) => (
        <OneMedia hash={hash} follow={live.has(hash)} remove={(name) => setGoing({ hash, name })} key={hash} />
      ))}
      <ConfirmByName
        opened={going !== undefined}
        onClose={() => setGoing(undefined)}
        act="Delete"
        name={going?.name ?? ''}
        goes="They leave this list, and short links to their files end. Sticks and cards that were written keep working."
        confirm={() => remove.mutateAsync(going?.hash ?? '')}
      />
    </>
  )
}

function NewMedia() {
  const sites = useQuery(sitesQuery)
  const form = useForm<MediaWish>({
    initialValues: {
      name: '',
      kind: 'site',
      site: '',
      url: '',
      script: '#!ipxe\n',
      outputs: ['iso'],
      address: '',
      gateway: '',
      vlan: '',
      serial: false,
    },
  })
  const save = useSave(async (wish: MediaWish) => send<{ hash: string }>('/media', recipeOf(wish)), { old: [['media']], form })
  return (
    <Section title="New media">
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack maw={760}>
          <div>
            <Text size="sm" fw={500} id="media-kind">
              Boots into
            </Text>
            <SegmentedControl
              aria-labelledby="media-kind"
              data={[
                { value: 'site', label: "A site's appliance" },
                { value: 'url', label: 'A URL' },
                { value: 'script', label: 'A script' },
              ]}
              {...form.getInputProps('kind')}
            />
          </div>
          {form.values.kind === 'site' && (
            <Select
              label="Site"
              required
              searchable
              data={(sites.data ?? []).map(({ id, name }) => ({ value: id, label: name }))}
              {...form.getInputProps('site')}
              maw={420}
            />
          )}
          {form.values.kind === 'url' && (
            <TextInput label="URL" required placeholder="http://boot.example/start.ipxe" {...form.getInputProps('url')} />
          )}
          {form.values.kind === 'script' && (
            <Textarea label="iPXE script" required autosize minRows={4} maxRows={16} spellCheck={false} {...form.getInputProps('script')} />
          )}
          <Checkbox.Group label="What to make" {...form.getInputProps('outputs')}>
            <Stack gap="xs" mt="xs">
              {OUTPUTS.map(([value, label, description]) => (
                <Checkbox value={value} label={label} description={description} key={value} />
              ))}
            </Stack>
          </Checkbox.Group>
          <details>
            <summary>Network and console</summary>
            <Stack gap="sm" mt="sm">
              <Group grow align="flex-start">
                <TextInput
                  label="Fixed address"
                  placeholder="DHCP"
                  {...form.getInputProps('address')}
                  error={form.errors['network.address']}
                />
                <TextInput label="Gateway" {...form.getInputProps('gateway')} error={form.errors['network.gateway']} />
                <TextInput label="VLAN" inputMode="numeric" {...form.getInputProps('vlan')} />
              </Group>
              <Checkbox label="Also print to the first serial port" {...form.getInputProps('serial', { type: 'checkbox' })} />
              <TextInput label="Name of the files" placeholder="bridgehead" {...form.getInputProps('name')} maw={320} />
            </Stack>
          </details>
          <Unshown error={save.error} shown={['name', 'site', 'url', 'script', 'vlan', 'outputs']} />
          <Group>
            <Button type="submit" loading={save.isPending}>
              Make it
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  )
}

function OneMedia({ hash, follow, remove }: { hash: string; follow: boolean; remove(name: string): void }) {
  const one = useQuery(oneMediaQuery(hash))
  const [shown, show] = useState(false)
  return (
    <Loaded query={one}>
      {(media) => (
        <Section
          title={nameOf(media)}
          actions={
            <Group gap="sm">
              <Text size="sm" c="dimmed" component="div">
                <Ago at={media.requestedAt} />
              </Text>
              {underWay(media) ? (
                <CancelMaking room={MEDIA} hash={hash} />
              ) : (
                <RemoveButton act="Delete" name={nameOf(media)} onClick={() => remove(nameOf(media))} />
              )}
            </Group>
          }
        >
          <Making room={MEDIA} made={media} follow={follow} />
          {media.manifest && (
            <ListTable heads={['File', 'Size', 'sha256']} minWidth={560}>
              {Object.values(media.manifest.files)
                .flat()
                .map((file) => (
                  <Table.Tr key={file.name}>
                    <Table.Td>
                      <a href={`/api/v1/media/${hash}/files/${file.name}`} download={file.name}>
                        {file.name}
                      </a>
                    </Table.Td>
                    <Table.Td>{formatBytes(file.bytes)}</Table.Td>
                    <Table.Td>
                      <Code style={{ overflowWrap: 'anywhere' }}>{file.sha256}</Code>
                    </Table.Td>
                  </Table.Tr>
                ))}
            </ListTable>
          )}
          <Group>
            <Button size="compact-sm" variant="subtle" onClick={() => show(!shown)} aria-expanded={shown}>
              {shown ? 'Hide' : 'Show'} how it was made
            </Button>
          </Group>
          {shown && (
            <Stack gap="xs">
              {media.ways.map((way) => (
                <Text size="sm" key={way.platform}>
                  {way.platform}: {way.way} loader, {way.why}
                </Text>
              ))}
              {media.state === 'ready' && media.lines && media.lines.length > 0 && <LogView text={media.lines.join('\n')} />}
              {media.manifest && (
                <Code block aria-label="Script on the media">
                  {media.manifest.script}
                </Code>
              )}
            </Stack>
          )}
        </Section>
      )}
    </Loaded>
  )
}
