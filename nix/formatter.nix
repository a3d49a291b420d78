# `nix fmt`: nixfmt on every Nix file of the tree.
{ nixfmt-tree }: nixfmt-tree
