import { Tabs } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import type { ReactNode } from 'react'

/** The tabs of a page, each with its name; the address holds which one is chosen, `chosen` or else the first. Only that one is made. */
export function PageTabs({
  chosen,
  tabs,
}: {
  chosen: string | undefined
  tabs: Readonly<Record<string, [label: string, content: ReactNode]>>
}) {
  const navigate = useNavigate()
  const all = Object.entries(tabs)
  return (
    <Tabs
      value={chosen !== undefined && chosen in tabs ? chosen : (all[0]?.[0] ?? null)}
      onChange={(tab) => tab && void navigate({ to: '.', search: { tab }, replace: true })}
      keepMounted={false}
    >
      <Tabs.List mb="md">
        {all.map(([value, [label]]) => (
          <Tabs.Tab value={value} key={value}>
            {label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {all.map(([value, [, content]]) => (
        <Tabs.Panel value={value} key={value}>
          {content}
        </Tabs.Panel>
      ))}
    </Tabs>
  )
}
