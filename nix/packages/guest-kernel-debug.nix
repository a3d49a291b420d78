# guest-kernel-full with checks, detectors and symbols for kernel developers.
{ guest-kernel-full, mkGuestKernel }:
mkGuestKernel {
  name = "guest-kernel-debug";
  fragments = guest-kernel-full.fragments ++ [ ../kernel/debug ];
}
