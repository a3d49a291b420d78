# The demo's guest image.
{ console-demo }: console-demo.initrd
