import { Button, Group, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { ApplianceImage } from '../../../../appliances/image-routes.ts'
import { applianceImageQuery, send } from '../api/made.ts'
import { boardName } from '../parts/board.ts'
import { underWay } from '../parts/made.ts'
import { CancelMaking, Making } from '../parts/making.tsx'
import { Section } from '../parts/page.tsx'
import { Ago } from '../parts/time.tsx'
import { useSave } from '../parts/use-save.ts'

const APPLIANCE_IMAGES = { path: 'appliance-images', event: 'image' } as const

/** What was asked for, as far as the answer says it. */
export function wishOf({ recipe }: ApplianceImage): { board?: string; version?: string } {
  return typeof recipe === 'object' && recipe !== null ? recipe : {}
}

/** An image that is not there yet: its log while it is built, and why it failed. */
export function ImageBuild({ image, follow, remove }: { image: ApplianceImage; follow: boolean; remove?: () => void }) {
  const { hash } = image
  const wish = wishOf(image)
  const whole = useQuery({ ...applianceImageQuery(hash), enabled: !underWay(image) }) // with the last lines of its log
  const old = [['appliance-images']]
  const again = useSave(async () => send('/appliance-images', image.recipe), { old })
  return (
    <Section
      title={`Image ${wish.version === undefined ? '' : `${wish.version} `}for ${boardName(wish.board)}`}
      actions={
        <Group gap="sm">
          <Text size="sm" c="dimmed" component="div">
            <Ago at={image.requestedAt} />
          </Text>
          {underWay(image) ? (
            <CancelMaking room={APPLIANCE_IMAGES} hash={hash} />
          ) : (
            <>
              <Button size="compact-sm" variant="default" onClick={() => again.mutate(undefined)} loading={again.isPending}>
                Build it again
              </Button>
              {remove && (
                <Button size="compact-sm" variant="subtle" onClick={remove}>
                  Dismiss
                </Button>
              )}
            </>
          )}
        </Group>
      }
    >
      <Making room={APPLIANCE_IMAGES} made={{ ...image, lines: whole.data?.lines }} follow={follow} />
    </Section>
  )
}
