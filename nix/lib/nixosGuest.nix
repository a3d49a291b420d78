# What mkMicrovm takes from a NixOS system, which it extends by the guest module and by what
# the VM has: system, the extended system, and fields, the fields of vm.json that start it.
#
# The store of the guest is an image of the system's closure ("disk"), or the store of the host
# ("share").
{
  lib,
  storeDisk,
  tools,
}:
called:
{
  nixos,
  nixosStore ? "disk",
  memoryMiB ? 1024,
  kernelParams ? [ ],
  disks ? [ ],
  shares ? [ ],
  consoles ? [ ],
  ...
}@machine:
let
  wrong = option: why: throw "microvm ${called}: ${option}: ${why}";
  onDisk = nixosStore == "disk";

  image = {
    name = "nix-store";
    readOnly = true;
    fs = "erofs";
    target = "/nix/store";
  };
  hostStore = {
    source = "/nix/store";
    target = "/nix/store";
  };

  # What NixOS mounts. The Go programs look for the driver of a share in the kernel's modules;
  # NixOS has to know it, and its kernel has both.
  mounted = {
    disks = disks ++ (if onDisk then [ image ] else [ ]);
    shares = map (share: { driver = "9p"; } // share) allShares;
  };
  allShares = shares ++ (if onDisk then [ ] else [ hostStore ]);

  system = nixos.extendModules {
    modules = [
      (import ../modules/nixos-guest.nix (_system: tools))
      (import ../modules/nixos-vm.nix (
        mounted
        // {
          name = called;
          inherit consoles;
        }
      ))
    ];
  };
  inherit (system.config.system) build;
  inherit (system.config.system.boot) loader;

  # The image contains the system, so that the host need not keep it.
  kept = if onDisk then builtins.unsafeDiscardStringContext else path: path;
  init = kept "${build.toplevel}/init";
  file = storeDisk "${called}-nix-store" [ build.toplevel ];
  withFile = disk: if onDisk && disk == image then disk // { path = "${file}"; } else disk;

  fields = {
    inherit memoryMiB;
    kernel = "${build.kernel}/${loader.kernelFile}";
    initrd = "${build.initialRamdisk}/${loader.initrdFile}";
    # The console= parameters follow from consoles.
    kernelParams = [
      "init=${init}"
    ]
    ++ builtins.filter (
      param: builtins.match "console=.*" param == null
    ) system.config.boot.kernelParams
    ++ kernelParams;
  }
  // lib.optionalAttrs (mounted.disks != [ ]) { disks = map withFile mounted.disks; }
  // lib.optionalAttrs (mounted.shares != [ ]) { inherit (mounted) shares; };

  superfluous = builtins.filter (option: machine ? ${option}) [
    "guest"
    "initrd"
    "kernel"
  ];
in
if superfluous != [ ] then
  wrong (builtins.head superfluous) "nixos has its own (remove one of the two)"
else if !(nixos ? config && nixos ? extendModules) then
  wrong "nixos" "want the result of nixosSystem"
else if !onDisk && nixosStore != "share" then
  wrong "nixosStore" "\"${nixosStore}\" is unknown (known: disk, share)"
else
  { inherit fields system; }
