import { Select, Stack, Text, TextInput } from '@mantine/core'
import type { UseFormReturnType } from '@mantine/form'
import type { Image } from '../../../../packagers/images.ts'
import { Section } from '../parts/page.tsx'
import { imageName } from './image-name.ts'
import { ARCHITECTURES, type Architecture, KEEP, type Profile, type ProfileWish } from './profile-form.ts'

/** What machines of each architecture get. */
export function TargetFields({
  form,
  profile,
  images,
}: {
  form: UseFormReturnType<ProfileWish>
  profile: Profile
  images: readonly Image[]
}) {
  return ARCHITECTURES.map((arch) => <Target key={arch} arch={arch} form={form} profile={profile} images={images} />)
}

function Target({
  arch,
  form,
  profile,
  images,
}: {
  arch: Architecture
  form: UseFormReturnType<ProfileWish>
  profile: Profile
  images: readonly Image[]
}) {
  const now = profile.targets[arch]
  const built = images.filter(({ target, recipe }) => target !== undefined && recipe.architecture === arch)
  const same = built.find(({ target }) => target?.image?.sha256 === now?.image?.sha256)
  const choices = [
    ...(now ? [{ value: KEEP, label: `as it is: ${now.image?.name ?? now.kernel.name}` }] : []),
    ...built
      .filter((image) => image !== same)
      .map((image) => ({ value: image.hash, label: `${imageName(image)}, ${new Date(image.requestedAt).toLocaleString()}` })),
  ]
  const chosen = form.values.targets[arch].image
  return (
    <Section title={`Machines with ${arch}`}>
      {choices.length === 0 ? (
        <Text size="sm">There is no host image for {arch} yet; build one under Profiles.</Text>
      ) : (
        <Stack>
          <Select
            label="Host image"
            description="Machines that are installed from now on get it; those that run keep theirs."
            placeholder="none: such machines do not become it"
            clearable
            data={choices}
            {...form.getInputProps(`targets.${arch}.image`)}
            value={chosen === '' ? null : chosen}
            onChange={(value) => form.setFieldValue(`targets.${arch}.image`, value ?? '')}
            aria-label={`Host image for ${arch}`}
          />
          {chosen !== '' && (
            <TextInput
              label="Kernel's command line"
              description="Besides what each boot adds by itself."
              spellCheck={false}
              aria-label={`Kernel's command line for ${arch}`}
              {...form.getInputProps(`targets.${arch}.cmdline`)}
            />
          )}
        </Stack>
      )}
    </Section>
  )
}
