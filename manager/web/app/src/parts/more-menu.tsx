import { Button, Menu } from '@mantine/core'
import { useRef } from 'react'

/** The button with further acts. It has the focus again before an act begins, so that a dialog has whom to give it back to. */
export function MoreMenu({ acts }: { acts: readonly { label: string; grave?: boolean; act(): void }[] }) {
  const button = useRef<HTMLButtonElement>(null)
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" ref={button}>
          More
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {acts.map(({ label, grave, act }) => (
          <Menu.Item
            key={label}
            {...(grave ? { color: 'red' } : {})}
            onClick={() => {
              button.current?.focus()
              act()
            }}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
