import { LinkButton } from '../parts/link.tsx'
import { Empty, Page } from '../parts/page.tsx'

export function NotFoundPage() {
  return (
    <Page title="Nothing here">
      <Empty title="This page does not exist" action={<LinkButton to="/">Overview</LinkButton>}>
        It may have been deleted, or the address is mistyped.
      </Empty>
    </Page>
  )
}
