# A kernel for guests that need their consoles and little else, without modules.
# nix/kernel/config has its options, and the reason for each.
{ mkGuestKernel }:
mkGuestKernel {
  name = "guest-kernel";
  fragments = [ ../kernel/config ];
}
