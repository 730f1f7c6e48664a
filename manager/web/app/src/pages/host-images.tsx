import { formatBytes } from '@bridgehead/shared/text/format.ts'
import { Box, Button, Group, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { Image } from '../../../../packagers/images.ts'
import { imageQuery, imagesQuery, send } from '../api/made.ts'
import { followed, underWay } from '../parts/made.ts'
import { CancelMaking, Making } from '../parts/making.tsx'
import { Loaded, ProblemAlert, Section } from '../parts/page.tsx'
import { Ago } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'
import { imageName } from './image-name.ts'

const HOST_IMAGES = { path: 'images', event: 'image' } as const

/** Disk images that machines are installed with, and building them. */
export function HostImages() {
  const images = useQuery(imagesQuery)
  const live = followed(images.data ?? [])
  const build = useSave(async (architecture: string) => send('/images', { architecture }), { old: [['images']] })
  return (
    <Section
      title="Host images"
      actions={
        <Group gap="xs">
          {['x86_64', 'arm64'].map((architecture) => (
            <Button size="xs" variant="default" key={architecture} onClick={() => build.mutate(architecture)}>
              Build Debian for {architecture}
            </Button>
          ))}
        </Group>
      }
    >
      {build.error && <ProblemAlert error={build.error} />}
      <Loaded query={images}>
        {(items) =>
          items.length === 0 ? (
            <Text size="sm">None yet. Debian with OpenSSH takes about a minute and a half to build.</Text>
          ) : (
            items.map((image) => <HostImage key={image.hash} image={image} follow={live.has(image.hash)} />)
          )
        }
      </Loaded>
    </Section>
  )
}

function HostImage({ image, follow }: { image: Image; follow: boolean }) {
  const whole = useQuery({ ...imageQuery(image.hash), enabled: image.state === 'failed' }) // with the last lines of its log
  const making = <Making room={HOST_IMAGES} made={{ ...image, lines: whole.data?.lines }} follow={follow} />
  const brief = image.state === 'ready' || image.state === 'cancelled'
  return (
    <Box>
      <Group justify="space-between" align="flex-start">
        <Stack gap={0}>
          <Text size="sm" fw={500}>
            {imageName(image)}
          </Text>
          <Text size="sm" c="dimmed" component="div">
            {image.target?.image ? `${formatBytes(image.target.image.bytes)}, ` : ''}asked for <Ago at={image.requestedAt} span />
          </Text>
        </Stack>
        {brief && making}
        {underWay(image) && <CancelMaking room={HOST_IMAGES} hash={image.hash} />}
      </Group>
      {!brief && <Box mt="xs">{making}</Box>}
    </Box>
  )
}
