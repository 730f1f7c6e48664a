/** `Debian trixie x86_64`. Pure. */
export const imageName = ({ recipe }: { recipe: { suite?: string | undefined; architecture: string } }) =>
  `Debian ${recipe.suite === undefined ? '' : `${recipe.suite} `}${recipe.architecture}`
