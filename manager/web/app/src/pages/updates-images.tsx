import { formatBytes } from '@bridgehead/shared/text/format.ts'
import { Anchor, Button, Group, Modal, Select, Stack, Table, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { ApplianceImage } from '../../../../appliances/image-routes.ts'
import { applianceImagesQuery, forget, send } from '../api/made.ts'
import { BOARDS, boardName } from '../parts/board.ts'
import { ConfirmByName } from '../parts/confirm.tsx'
import { Unshown } from '../parts/form-end.tsx'
import { ListTable } from '../parts/list-table.tsx'
import { followed } from '../parts/made.ts'
import { Empty, Loaded, Section } from '../parts/page.tsx'
import { RemoveButton } from '../parts/remove-button.tsx'
import { Ago } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'
import { ImageBuild } from './image-build.tsx'
import { NewRelease } from './new-release.tsx'

export function ImagesTab() {
  const images = useQuery(applianceImagesQuery)
  return (
    <Stack>
      <BuildImage />
      <Loaded query={images}>
        {(items) =>
          items.length === 0 ? (
            <Empty title="No image yet">
              Build one above: for the first card of a site, and as the next version of those that are there. It takes some minutes the
              first time.
            </Empty>
          ) : (
            <Catalogue items={items} />
          )
        }
      </Loaded>
    </Stack>
  )
}

function BuildImage() {
  const form = useForm({ initialValues: { board: 'x86_64', version: '' } })
  const save = useSave(
    async ({ board, version }: typeof form.values) =>
      send<ApplianceImage>('/appliance-images', { board, ...(version.trim() === '' ? {} : { version: version.trim() }) }),
    { old: [['appliance-images']], form },
  )
  return (
    <Section title="Build an image">
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          <Group align="flex-start">
            <Select label="Box" w={280} allowDeselect={false} data={BOARDS} {...form.getInputProps('board')} />
            <TextInput
              label="Version"
              placeholder="this manager's own"
              description="What boxes will report; such as 1.2.3."
              inputWrapperOrder={['label', 'input', 'error', 'description']}
              w={280}
              {...form.getInputProps('version')}
            />
            <Button type="submit" mt={{ base: 0, sm: 25 }} loading={save.isPending}>
              Build it
            </Button>
          </Group>
          <Unshown error={save.error} shown={['board', 'version']} />
          {save.data?.state === 'ready' && (
            <Text size="sm" role="status">
              It is there already: {save.data.version}, below.
            </Text>
          )}
        </Stack>
      </form>
    </Section>
  )
}

function Catalogue({ items }: { items: ApplianceImage[] }) {
  const live = followed(items)
  const [releasing, setReleasing] = useState<ApplianceImage>()
  const [going, setGoing] = useState<ApplianceImage>()
  const remove = useSave(async (hash: string) => forget(`/appliance-images/${hash}`), { old: [['appliance-images']] })
  const ready = items.filter(({ state }) => state === 'ready')
  return (
    <>
      {items
        .filter(({ state }) => state !== 'ready')
        .map((image) => (
          <ImageBuild key={image.hash} image={image} follow={live.has(image.hash)} remove={() => remove.mutate(image.hash)} />
        ))}
      {ready.length > 0 && (
        <Section title="Images">
          <ListTable heads={['Version', 'Box', 'Disk', 'System', 'Asked for', 'Inside', '']} minWidth={720}>
            {ready.map((image) => (
              <ImageRow key={image.hash} image={image} release={() => setReleasing(image)} remove={() => setGoing(image)} />
            ))}
          </ListTable>
        </Section>
      )}
      <Modal opened={releasing !== undefined} onClose={() => setReleasing(undefined)} title={`Release of ${releasing?.version ?? ''}`}>
        {releasing && <NewRelease image={releasing} />}
      </Modal>
      <ConfirmByName
        opened={going !== undefined}
        onClose={() => setGoing(undefined)}
        act="Delete"
        name={going?.version ?? ''}
        goes="The image that was taken in leaves the catalogue. Sites that run it and releases of it keep it."
        confirm={() => remove.mutateAsync(going?.hash ?? '')}
      />
    </>
  )
}

function ImageRow({ image, release, remove }: { image: ApplianceImage; release(): void; remove(): void }) {
  const { hash, version, board, manifest, requestedAt } = image
  const bytes = (part: unknown) => (part as { bytes?: number } | undefined)?.bytes
  const [disk, system] = [bytes(manifest?.image), bytes(manifest?.slot)]
  const takenIn = requestedAt > 0 && image.recipe === undefined
  return (
    <Table.Tr>
      <Table.Td fw={500}>{version}</Table.Td>
      <Table.Td>{boardName(board)}</Table.Td>
      <Table.Td>{disk === undefined ? '–' : formatBytes(disk)}</Table.Td>
      <Table.Td>{system === undefined ? '–' : formatBytes(system)}</Table.Td>
      <Table.Td>{requestedAt === 0 ? 'built beside the manager' : <Ago at={requestedAt} />}</Table.Td>
      <Table.Td>
        <Group gap="sm" wrap="nowrap">
          <Anchor size="sm" href={`/api/v1/appliance-images/${hash}/files/sbom`} aria-label={`Components of ${version}`}>
            Components
          </Anchor>
          <Anchor size="sm" href={`/api/v1/appliance-images/${hash}/files/licences`} aria-label={`Licences in ${version}`}>
            Licences
          </Anchor>
        </Group>
      </Table.Td>
      <Table.Td>
        <Group gap={4} wrap="nowrap" justify="flex-end">
          <Button size="compact-xs" variant="subtle" onClick={release} aria-label={`Make a release of ${version} for ${boardName(board)}`}>
            Release ...
          </Button>
          {takenIn && <RemoveButton act="Delete" name={version ?? ''} onClick={remove} />}
        </Group>
      </Table.Td>
    </Table.Tr>
  )
}
