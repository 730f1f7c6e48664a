import { Anchor, Button } from '@mantine/core'
import { createLink } from '@tanstack/react-router'

/** Mantine's looks, the router's typed paths. */
export const Link = createLink(Anchor<'a'>)
export const LinkButton = createLink(Button<'a'>)
