/** For tests: an EFI program of one instruction for x86_64, signed by a certificate of its own (osslsigncode sign -h sha256); gzip, base64. */
export const SIGNED_PROGRAM = [
  'H4sIAAAAAAACA/ONYiAbOABxgCsDQ0obI4r4BwY9Jm4mJgYGJiRBASiGEBCKCYuhChDxaF8GBi4i3SFAjCIWBoYXrAw0A3olqRUlDFA/wfzGhOG1BIZBBg4z',
  'jIKRDMB5AphXDZpYr7JxarV5tH3nZWRnWtDEegwodIiJkdGQ34CXjTOhzYMxlZmFiZGVwaCSjUubjZGFscmciZFlQbZBpoEJkgi/gRozE3vDAoVFcg0yDDZg',
  '6M+QxFDMkM+Qw5DKUALEdiBoYIhmMItCJSPLWcM2Kdkfd7r69M58137mxKX20WOed3Xxf+8T11T2LGhitjFoYrYwaGJSWMDMxMjEJCK9MkeP45KRxMrVWqY1',
  '/+Qa6uPV7oPMhXqFkRvoYEVDeQNZNuZQFmYeMaeizJT01IzUxBSFktTiEoXizPS81CIDOXFeIzNDQyMjQwsDYyOTKHFeEyDX0BzKJcaIJkYlZIuBHmJuYuQH',
  'hiwjF1MTIyPDxAZ724qiM1d//bnszpa820p55pvX4o/Wpz5/8sJm35pN+Sl86YffqkopOKVvXuT9XXqv7eUgLZuzS09pB9wIPMf1c5u2fdO00693PDNevX/+',
  'swmqy7yt/377ecVnf0n006273FoMLwtcf8D07fgMa5sHrMwMBXV/59S7MT/9LRc6ZaZH6FWm8wUdnNvu7mpbkr0tYMVnyYWt34TTtQWPv3PvP2TA/TzC1PiX',
  '1EGW0nT1EL7ln17zzD9bPXdW/9YV/BaufdfLVFNXWXxOfxSUN/dCW8feL+Hu823O7dp4PurhHPWjrGdUJk/lz145mbf/Tor2hJ66ndfqvytOmX723vU53R+P',
  'z4r8bOL5/5uu1kMmZkYGxsUZBmnggJTlYxFjEfk/538q157QnmmruLK1Ly+tvvDkb7aBPEhamUXCQKwBuwJ+kAJhRsb/LKwGzEDKQBgkoMrCY8DFxgFMiKys',
  '7MzMaImAGRQFRk+nTzToNwx69K7AxnGWu9BsKUXdicvc+GeYhPfnZ3YnHOrgqry8Nez8x3t/H60SvzxLIYrrfMnuCz6lpzWu853do2DN/H5VVpE272FGDs4F',
  'oY08Fc+5i7xv7lxwrY55gku/keylbbdnPv58nIslwOcca1NaU3eCxOZnN28xVD7Xvtz2JEtIzCVZ7Xlmtkrx/5yISZMYA0JscycK7s51VX/IKru0aF98QUvn',
  'bz8rBxdhm4bN877pKt4y/Moj0Dtzw5xj+Z9FV56ZE7hUlKvV9DCLp879m8ob0sOUj3/92bGg+fuOhvZ/FVEClxMerRXi2hGdH5taUP43OjBWQmGyGt+cExI8',
  'JSbKN/aylxk2Mb4HpsfXwGxtYElEmsadvZCy7YLGDgNJeFhzMhvyIJcPBjIIKVZDfrRsBpRFqOU25DNA1itqoI/Qy2KoxKKgE9/TL3Tx9mMJtcodzzdpaajK',
  '1lbf7DVzUGOQn+D6Sm8TWv5jaWJk4KsLv3rxhd3yC1fTP9592dNkOrMhLy1E+XwbY/79NZGp9dfbUh7vtth9lH8yn8M0OUW1gIQtQkUrvf4sfL/nao1D99XN',
  'B1Zmv7zr4XjAI5Yt6Kid9cvwpWzOFudy1h83vhraZH5g0v3vT7n2eTUuO7JT+nBm/xvtmaEZ7LUvvjj5WYZMu3ucryZ+i4qL3tLai9KXM4tY9bdOF9uV+es6',
  'B5O+rbrs9qmHMs8qaQT+LPjInvj5c3tqvxv725VSHwsk7J5urb/X+LTl5noeoY3Lphboy/iysKb+V/G0sj+axnQ70fOoXuCPflHd0pw/G56HCla8/puxbL6F',
  'qcv+Bv2sbzybd4XfP/nkwsfd1ZIq0CoOALbv2aDoCQAA',
].join('')
