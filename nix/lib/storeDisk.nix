# A read-only disk: an erofs image that contains store paths with their closure. It is mounted
# on /nix/store.
#
# The image does not refer to the store paths that it contains: they need not be kept in the
# host's store.
{
  closureInfo,
  erofs-utils,
  runCommand,
}:
name: rootPaths:
runCommand name
  {
    __structuredAttrs = true;
    unsafeDiscardReferences.out = true;
    nativeBuildInputs = [ erofs-utils ];
  }
  ''
    mkdir store
    xargs --arg-file=${closureInfo { inherit rootPaths; }}/store-paths \
      cp --archive --reflink=auto --target-directory=store
    # The same bytes every time.
    mkfs.erofs -T 0 --all-root -U 00000000-0000-0000-0000-000000000000 --quiet $out store
  ''
