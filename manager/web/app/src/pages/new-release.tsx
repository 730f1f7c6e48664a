import { Checkbox, NumberInput, Stack, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useNavigate } from '@tanstack/react-router'
import type { ApplianceImage } from '../../../../appliances/image-routes.ts'
import { api } from '../api/client.ts'
import { boardName } from '../parts/board.ts'
import { FormEnd } from '../parts/form-end.tsx'
import { useSave } from '../parts/use-save.ts'

/** Terms on which an image's system is offered. Goes on with ordering its rollout. */
export function NewRelease({ image }: { image: ApplianceImage }) {
  const navigate = useNavigate()
  const form = useForm({ initialValues: { floor: '', expiresInDays: 90 as number | string, rollback: false } })
  const save = useSave(
    async ({ floor, expiresInDays, rollback }: typeof form.values) =>
      (
        await api.releases.releases.$post({
          json: {
            image: image.hash,
            rollback,
            expiresInDays: Number(expiresInDays),
            ...(floor.trim() === '' ? {} : { floor: floor.trim() }),
          },
        })
      ).json(),
    { old: [['releases']], form, done: ({ id }) => void navigate({ to: '/updates/rollouts/new', search: { release: id } }) },
  )
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Stack>
        <Text size="sm">For {boardName(image.board)}. Nothing happens at any site until a rollout tells it.</Text>
        <TextInput
          label="For boxes from version"
          placeholder="any version"
          description="Boxes that run an older one must take another release first."
          data-autofocus
          {...form.getInputProps('floor')}
        />
        <NumberInput
          label="Ends after days"
          description="No box begins with it afterwards."
          min={1}
          max={365}
          {...form.getInputProps('expiresInDays')}
        />
        <Checkbox
          label="Boxes that run a newer version go back to it"
          description="A wish to go back; without it they are left alone."
          {...form.getInputProps('rollback', { type: 'checkbox' })}
        />
        <FormEnd save={save} shown={['floor', 'expiresInDays', 'rollback']}>
          Make the release
        </FormEnd>
      </Stack>
    </form>
  )
}
