import { Button, Group, Stack } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useNavigate } from '@tanstack/react-router'
import { api } from '../api/client.ts'
import { ConfirmByName } from '../parts/confirm.tsx'
import { MoreMenu } from '../parts/more-menu.tsx'
import { ProblemAlert } from '../parts/page.tsx'
import { useSave } from '../parts/use-save.ts'
import type { Host } from '../verdict.ts'

export function HostActions({ host }: { host: Host }) {
  const navigate = useNavigate()
  const [installing, install] = useDisclosure(false)
  const [forgetting, forget] = useDisclosure(false)
  const old = [['hosts']]
  const approve = useSave(async () => api.hosts.hosts[':id'].$patch({ param: { id: host.id }, json: { approved: true } }), { old })
  const intend = useSave(
    async (kind: 'install' | 'local-disk') => api.hosts.hosts[':id'].intent.$post({ param: { id: host.id }, json: { kind } }),
    { old },
  )
  const forgo = useSave(async () => api.hosts.hosts[':id'].intent.$delete({ param: { id: host.id } }), { old })
  const remove = useSave(async () => api.hosts.hosts[':id'].$delete({ param: { id: host.id } }), {
    old,
    done: () => void navigate({ to: '/hosts' }),
  })
  const error = approve.error ?? intend.error ?? forgo.error
  return (
    <Stack gap="xs" align="flex-end">
      <Group gap="xs">
        {!host.approved && (
          <Button onClick={() => approve.mutate(undefined)} loading={approve.isPending}>
            Approve
          </Button>
        )}
        {host.approved && host.intent?.state !== 'pending' && (
          <Button
            onClick={install.open}
            disabled={host.profile === undefined}
            title={host.profile === undefined ? 'Choose a profile in its settings first' : ''}
          >
            Install ...
          </Button>
        )}
        {host.intent?.state === 'pending' && (
          <Button variant="default" onClick={() => forgo.mutate(undefined)} loading={forgo.isPending}>
            Take back: {host.intent.kind}
          </Button>
        )}
        <MoreMenu
          acts={[
            { label: 'Boot from its disk next time', act: () => intend.mutate('local-disk') },
            { label: 'Forget this machine ...', grave: true, act: forget.open },
          ]}
        />
      </Group>
      {error && <ProblemAlert error={error} />}
      <ConfirmByName
        opened={installing}
        onClose={install.close}
        act="Install"
        name={host.name}
        goes="Everything on its disk is overwritten at its next boot from the network."
        confirm={() => intend.mutateAsync('install')}
      />
      <ConfirmByName
        opened={forgetting}
        onClose={forget.close}
        act="Forget"
        name={host.name}
        goes="Its tags, reserved address and history here go. When it boots from the network again it comes back as a new machine."
        confirm={() => remove.mutateAsync(undefined)}
      />
    </Stack>
  )
}
