import { Button } from '@mantine/core'

/** The last cell of a row whose thing can go; it opens the question, and takes nothing away itself. */
export function RemoveButton({ act, name, onClick }: { act: string; name: string; onClick(): void }) {
  return (
    <Button size="compact-xs" variant="subtle" color="red" onClick={onClick} aria-label={`${act} ${name}`}>
      {act} ...
    </Button>
  )
}
