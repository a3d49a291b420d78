# nixpkgs' buildGoModule: the modules that go.mod requires, vendored and checked against
# vendorHash, then a build and the tests without network. Other arguments are errors, so
# that the flake uses only these.
{
  cc,
  go,
  runCommand,
}:
let
  buildGoModule =
    {
      pname,
      version,
      src,
      vendorHash,
      env ? { },
      ldflags ? [ ],
      buildPhase ? ''
        go install -ldflags "$ldflags" $(packages)
      '',
      doCheck ? true,
      postInstall ? "",
      installPhase ? ''
        mkdir -p $out
        cp -r $GOPATH/bin $out
        ${postInstall}
      '',
      meta ? { },
    }@arguments:
    let
      name = "${pname}-${version}";

      prepare = ''
        cp -r ${src} source
        chmod -R u+w source
        cd source
        export GOPATH=$TMPDIR/go GOTOOLCHAIN=local GOWORK=off
        # After an edit, unchanged packages are neither compiled nor tested again.
        export GOCACHE=/nix/var/cache/go-build
        { mkdir -p $GOCACHE && [ -w $GOCACHE ]; } 2>/dev/null || GOCACHE=$TMPDIR/go-cache
      '';

      goModules =
        runCommand "${name}-go-modules"
          {
            nativeBuildInputs = [ go ];
            outputHashMode = "recursive";
            outputHash = vendorHash;
            impureEnvVars = [
              "GOPROXY"
              "HTTPS_PROXY"
              "https_proxy"
            ];
          }
          ''
            ${prepare}
            GOFLAGS=-modcacherw go mod vendor
            cp -r vendor $out
          '';
    in
    runCommand name
      (
        env
        // {
          inherit meta;
          nativeBuildInputs = [ go ] ++ (if env.CGO_ENABLED or 1 == 0 then [ ] else [ cc ]);
          disallowedReferences = [ go ];
          ldflags = toString (ldflags ++ [ "-buildid=" ]);
        }
      )
      ''
        ${prepare}
        cp -r ${goModules} vendor
        chmod -R u+w vendor
        export GOPROXY=off GOSUMDB=off GOFLAGS="-mod=vendor -trimpath"

        packages() { go list ./... | grep -vE '/(examples|Godeps|testdata)'; }
        ${buildPhase}
        if [ -n "${toString doCheck}" ]; then
          set -o pipefail
          # Without the lines of the packages that pass, the end of the log shows what fails.
          go test -vet=off -ldflags "$ldflags" $(packages) 2>&1 | sed -E '/^(ok|\?) /d'
        fi
        ${installPhase}
      ''
    // {
      inherit goModules;
      overrideAttrs = changes: buildGoModule (arguments // changes arguments);
    };
in
buildGoModule
