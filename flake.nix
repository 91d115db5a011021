# `nix run . -- digest article.txt`: the program of a release, or, where packaging/kortom.nix is not there, built from these sources.
#
# Not run anywhere yet: there was no Nix where this was written.
{
  description = "Translate Dutch articles to English and summarise them, without Python";

  inputs.nixpkgs.url = "nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
      # Written by `.ci/dist sums` for a release.
      release = if builtins.pathExists ./packaging/kortom.nix then import ./packaging/kortom.nix else { archives = { }; };

      fromArchive = pkgs: archive: pkgs.stdenvNoCC.mkDerivation {
        pname = "kortom";
        version = release.version;
        src = pkgs.fetchurl archive;
        nativeBuildInputs = [ pkgs.installShellFiles ];
        installPhase = ''
          install -Dm755 kortom $out/bin/kortom
          installManPage kortom.1
          installShellCompletion --cmd kortom --bash completions/kortom.bash --zsh completions/_kortom --fish completions/kortom.fish
        '';
        meta.mainProgram = "kortom";
      };

      fromSource = pkgs: pkgs.rustPlatform.buildRustPackage {
        pname = "kortom";
        version = (builtins.fromTOML (builtins.readFile ./Cargo.toml)).package.version;
        src = self;
        cargoLock.lockFile = ./Cargo.lock;
        nativeBuildInputs = [ pkgs.installShellFiles ];
        # The tests take minutes; `.ci/run` runs them.
        doCheck = false;
        postInstall = ''
          installShellCompletion --cmd kortom --bash <($out/bin/kortom completions bash) --zsh <($out/bin/kortom completions zsh) \
            --fish <($out/bin/kortom completions fish)
          $out/bin/kortom man >kortom.1 && installManPage kortom.1
        '';
        meta.mainProgram = "kortom";
      };
    in
    {
      packages = each (pkgs: {
        default =
          if release.archives ? ${pkgs.system} then fromArchive pkgs release.archives.${pkgs.system} else fromSource pkgs;
      });
    };
}
