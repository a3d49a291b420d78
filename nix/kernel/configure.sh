# configure.sh FRAGMENT...: makes .config from tinyconfig and fragments of options, in a
# kernel's source. It fails, and names the options, if .config differs from the fragments.

# A concatenation of both files is not enough, since many options are on by default once their
# dependencies are. So allnoconfig turns all other options off. The last value counts.
make tinyconfig
{
  cat .config
  sed -n 's/^\(optional \)\?\(CONFIG_.*\)/\2/p' "$@"
} >wanted
make KCONFIG_ALLCONFIG=wanted allnoconfig
make olddefconfig

# set_in_config OPTION: reports whether .config has an option, or for NAME=n, does not have it.
set_in_config() {
  case $1 in
  *=n) ! grep -q "^${1%n}" .config ;;
  *) grep -qxF "$1" .config ;;
  esac
}

lost=0
for fragment; do
  while read -r line; do
    option=${line##* }
    name=${option%%=*}
    if ! set_in_config "$option" &&
      { [ "$option" = "$line" ] || grep -rqxE --include='Kconfig*' "\s*(menu)?config ${name#CONFIG_}" .; }; then
      echo "$fragment: $option: not in .config (misspelt, removed, or without an option that it needs?)" >&2
      lost=1
    fi
  done < <(grep -E '^(optional )?CONFIG_' "$fragment")
done
exit $lost
