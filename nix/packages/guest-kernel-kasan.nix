# guest-kernel-debug with KASAN.
{ guest-kernel-debug, mkGuestKernel }:
mkGuestKernel {
  name = "guest-kernel-kasan";
  fragments = guest-kernel-debug.fragments ++ [ ../kernel/kasan ];
}
