import type { Lan } from '@bridgehead/shared/model/state.ts'
import { Group, SegmentedControl, Stack, Text, TextInput } from '@mantine/core'
import type { UseFormReturnType } from '@mantine/form'
import type { LanInput } from './lan-input.ts'

export const MODES = {
  observe: 'Only watch: see machines and other DHCP servers, answer nothing.',
  proxy: 'Beside your router: it gives the addresses, the appliance tells machines what to boot.',
  serve: 'Alone: the appliance gives addresses, names and boot files. No other DHCP server may answer on this network.',
} as const satisfies Record<Lan['mode'], string>

export type SiteForm = UseFormReturnType<{ name: string; lans: LanInput[] }>

export function LanFields({ form, index }: { form: SiteForm; index: number }) {
  const at = (field: string) => `lans.${index}.${field}`
  const mode = form.getValues().lans[index]?.mode ?? 'proxy'
  return (
    <Stack gap="sm">
      <Group align="flex-start" grow>
        <TextInput label="Name" required placeholder="main" key={form.key(at('name'))} {...form.getInputProps(at('name'))} />
        <TextInput
          label="Network"
          required
          placeholder="192.168.1.0/24"
          key={form.key(at('subnet'))}
          {...form.getInputProps(at('subnet'))}
        />
        <TextInput
          label="Appliance's address"
          required
          placeholder="192.168.1.2"
          key={form.key(at('address'))}
          {...form.getInputProps(at('address'))}
        />
      </Group>
      <div>
        <Text size="sm" fw={500} id={at('mode-label')}>
          How the appliance behaves there
        </Text>
        <SegmentedControl
          aria-labelledby={at('mode-label')}
          data={[
            { value: 'observe', label: 'Observe' },
            { value: 'proxy', label: 'Proxy' },
            { value: 'serve', label: 'Serve' },
          ]}
          value={mode}
          onChange={(value) => form.setFieldValue(at('mode'), value)}
        />
        <Text size="sm" c="dimmed" mt={4}>
          {MODES[mode]}
        </Text>
      </div>
      {mode === 'serve' && (
        <Group align="flex-start" grow>
          <TextInput
            label="Addresses from"
            placeholder="192.168.1.100"
            key={form.key(at('from'))}
            {...form.getInputProps(at('from'))}
            error={form.errors[at('ranges.0.from')] ?? form.errors[at('ranges.0')] ?? form.errors[at('ranges')]}
          />
          <TextInput
            label="to"
            placeholder="192.168.1.200"
            key={form.key(at('to'))}
            {...form.getInputProps(at('to'))}
            error={form.errors[at('ranges.0.to')]}
          />
          <TextInput label="Router" placeholder="none" key={form.key(at('router'))} {...form.getInputProps(at('router'))} />
        </Group>
      )}
    </Stack>
  )
}
