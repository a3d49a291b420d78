# Our Go programs, with their man pages and shell completions.
{ buildGoModule, lib }:
let
  version = lib.fileContents ../../VERSION;
in
buildGoModule {
  pname = "microvm-console";
  inherit version;

  # Not `src = ../../go`: that store path would be unpacked to $TMPDIR/go, which is
  # buildGoModule's GOPATH, and `go mod vendor` fails in a GOPATH.
  src = builtins.path {
    path = ../../go;
    name = "source";
    filter = path: _type: baseNameOf path != "vendor";
  };
  vendorHash = import ../vendor-hash.nix;

  # Static programs also run inside the guest.
  env.CGO_ENABLED = 0;
  ldflags = [
    "-s"
    "-w"
    "-X microvm-console/internal/cmdline.Version=${version}"
  ];

  # The check "tools" runs the tests: the first build of a user does not wait for them.
  doCheck = false;

  # Every program prints its own man page and completion. microvm-named is the program of one
  # VM, for nix/lib/bindPrograms.nix.
  postInstall = ''
    mkdir -p "$out/libexec"
    mv "$out/bin/microvm-named" "$out/libexec"
    bash ${../../scripts/manuals} "$out/bin" "$out/share"
    # The licenses of the modules that are linked into the programs.
    mkdir -p "$out/share/doc/microvm-console"
    (cd vendor && find . -iname 'license*' -o -iname 'notice*') | while read -r notice; do
      install -D -m 444 "vendor/$notice" "$out/share/doc/microvm-console/licenses/$notice"
    done
    # The guest agent for guest images: smaller, without a man page and completion.
    go build -tags guest -ldflags "-s -w -buildid= -X main.version=${version}" \
      -o "$out/libexec/microvm-agent" ./cmd/microvm-agent
  '';

  meta = {
    description = "Run and test microVMs, and keep every byte of their consoles";
    license = lib.licenses.mit;
    mainProgram = "microvm-run";
  };
}
