# guest-kernel with disks, shared folders, a network, and what systemd needs, built in.
{ guest-kernel, mkGuestKernel }:
mkGuestKernel {
  name = "guest-kernel-full";
  fragments = guest-kernel.fragments ++ [ ../kernel/full ];
}
