import { type Board, compareVersions } from '@bridgehead/shared/model/release.ts'
import { Button, Group, Select, Stack, Text } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { ApplianceImage } from '../../../../appliances/image-routes.ts'
import { api } from '../api/client.ts'
import { applianceImagesQuery, send } from '../api/made.ts'
import { BOARDS } from '../parts/board.ts'
import { Link } from '../parts/link.tsx'
import { underWay } from '../parts/made.ts'
import { ProblemAlert, Section } from '../parts/page.tsx'
import { Ago } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'
import type { Site } from '../verdict.ts'
import { ImageBuild, wishOf } from './image-build.tsx'

/** What makes a box of any kind this site's appliance; leads to a build where there is no image yet. */
export function FlashCard({ site }: { site: Site }) {
  const [board, setBoard] = useState<Board>('x86_64')
  const images = useQuery(applianceImagesQuery)
  const ready = newestFor(board, images.data ?? [])
  const make = useMutation({
    mutationFn: async () =>
      (
        await api.tickets.sites[':id']['image-tickets'].$post({
          param: { id: site.id },
          json: { board, ...(ready ? { image: ready.hash } : {}) },
        })
      ).json(),
  })
  return (
    <Section title="Flash a card or disk">
      <Text size="sm">
        The image carries a one-time key for this site. Write it with Raspberry Pi Imager, balenaEtcher or dd, plug the box in, and it
        enrols by itself.
      </Text>
      <Group align="flex-end">
        <Select
          label="Board"
          w={280}
          allowDeselect={false}
          data={BOARDS}
          value={board}
          onChange={(value) => {
            setBoard(value === 'rpi' ? 'rpi' : 'x86_64')
            make.reset()
          }}
        />
        {(ready || !images.data) && (
          <Button onClick={() => make.mutate()} loading={make.isPending}>
            Make the download
          </Button>
        )}
        {ready && (
          <Text size="sm" c="dimmed" mb={8}>
            version {ready.version}
          </Text>
        )}
      </Group>
      {images.data && !ready && <FirstImage board={board} images={images.data} />}
      {make.error && <ProblemAlert error={make.error} />}
      {make.data && (
        <Stack gap="xs">
          <Group gap="xs">
            {make.data.downloads.map(({ format, url, fileName }) => (
              <Button
                component="a"
                href={new URL(url).pathname}
                download={fileName}
                key={format}
                variant={format === 'img.zst' ? 'filled' : 'default'}
                size="xs"
              >
                {format}
              </Button>
            ))}
          </Group>
          <Text size="sm" c="dimmed" component="div">
            Anybody who has the address may download until <Ago at={make.data.expiresAt} span />; it is shown this once.
          </Text>
        </Stack>
      )}
    </Section>
  )
}

/** Where the catalogue has nothing for this box yet. */
function FirstImage({ board, images }: { board: Board; images: ApplianceImage[] }) {
  const wished = images.filter((image) => image.state !== 'ready' && wishOf(image).board === board)
  const asked = wished.find(underWay) ?? wished[0]
  const build = useSave(async () => send('/appliance-images', { board }), { old: [['appliance-images']] })
  if (asked && asked.state !== 'cancelled') return <ImageBuild image={asked} follow />
  return (
    <Stack gap="xs" align="flex-start">
      <Text size="sm">
        There is no image for this box yet. Building one takes some minutes, once; every site uses it afterwards. All images are under{' '}
        <Link to="/updates" search={{ tab: 'images' }}>
          Updates
        </Link>
        .
      </Text>
      <Button onClick={() => build.mutate(undefined)} loading={build.isPending}>
        Build it now
      </Button>
      {build.error && <ProblemAlert error={build.error} />}
    </Stack>
  )
}

/** The newest image that can be flashed. Pure. */
function newestFor(board: Board, images: readonly ApplianceImage[]): ApplianceImage | undefined {
  return images
    .filter((image) => image.state === 'ready' && image.board === board)
    .sort((a, b) => compareVersions(b.version ?? '', a.version ?? ''))[0]
}
