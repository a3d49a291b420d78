# Two builds of the guest image produce the same bytes.
{ mkGuestInitrd, runCommand }:
let
  build =
    name:
    mkGuestInitrd {
      inherit name;
      hostname = "twin";
    };
in
runCommand "initrd-reproducible" { } ''
  cmp ${build "first"}/initrd ${build "second"}/initrd
  sha256sum <${build "first"}/initrd >$out
''
