# A Go that is new enough for go.mod: that of the host, or one that an older Go downloads
# as a module and verifies with Go's checksum database.
wanted=1.26.0
export GOTOOLCHAIN=local GOPATH=$TMPDIR/go GOCACHE=$TMPDIR/go-cache GOFLAGS=-modcacherw

# at_least VERSION GO: reports whether a go command has at least the version.
at_least() {
  local version
  version=$("$2" env GOVERSION 2>/dev/null) || return 1
  version=${version#go}
  [ "$(printf '%s\n' "$1" "${version%%-*}" | sort -V | head -n 1)" = "$1" ]
}

shopt -s nullglob
older=
for go in /usr/local/go/bin/go /usr/lib/go-*/bin/go /usr/bin/go; do
  if at_least "$wanted" "$go"; then
    mkdir -p "$out/bin"
    ln -s "$(dirname "$(realpath "$go")")"/{go,gofmt} "$out/bin/"
    exit 0
  fi
  # 1.18 supports modules, checksums and GOVERSION.
  if at_least 1.18 "$go"; then older=$go; fi
done

if [ -z "$older" ]; then
  unpack golang-go 'golang-.*'
  older=$(echo "$PWD"/usr/lib/go-*/bin/go)
fi

module=golang.org/toolchain@v0.0.1-go$wanted.linux-amd64
"$older" mod download -json "$module" >module.json
cp -r "$(sed -n 's/.*"Dir": "\(.*\)".*/\1/p' module.json)" "$out"

# A module has no file modes, and cannot contain the go.mod of another module.
chmod -R u+w "$out"
chmod +x "$out"/bin/* "$out"/pkg/tool/*/*
find "$out" -name _go.mod -execdir mv {} go.mod \;
