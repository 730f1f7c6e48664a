import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core'
import { useState } from 'react'
import { ProblemAlert } from './page.tsx'

/** A destructive act: says what goes, and wants its name typed. */
export function ConfirmByName(props: {
  opened: boolean
  onClose(): void
  /** Such as `Delete site`. */
  act: string
  name: string
  /** What goes with it. */
  goes: string
  confirm(): Promise<unknown>
}) {
  const { opened, onClose, act, name, goes, confirm } = props
  const [typed, setTyped] = useState('')
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const close = () => {
    setTyped('')
    setError(undefined)
    onClose()
  }
  const go = async () => {
    setBusy(true)
    try {
      await confirm()
      close()
    } catch (caught) {
      setError(caught)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal opened={opened} onClose={close} title={`${act} ${name}?`}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (typed === name) void go()
        }}
      >
        <Stack>
          <Text size="sm">{goes}</Text>
          <TextInput
            data-autofocus
            label={`Type ${name} to confirm`}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autoComplete="off"
          />
          {error !== undefined && <ProblemAlert error={error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Keep it
            </Button>
            <Button type="submit" color="red" disabled={typed !== name} loading={busy}>
              {act}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
