load helpers

@test "cx-uninstall: no name is wrong usage (100); another rack's name removes nothing (1)" {
	make_spool
	run --separate-stderr cx-uninstall
	[ "$status" -eq 100 ]
	run --separate-stderr cx-uninstall other
	[ "$status" -eq 1 ]
	[ -f "$CX_SPOOL/rack.json" ]
}

@test "cx-uninstall: a rack with apps is removed only with --force (1)" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	make_spool
	mkdir "$CX_SPOOL/apps/docs"
	run --separate-stderr cx-uninstall t
	[ "$status" -eq 1 ]
	[[ $stderr == *docs*--force* ]]
	[ -d "$CX_SPOOL/apps/docs" ]
}

@test "cx-uninstall: with --force a rack without an engine goes, with a warning about what may stay" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	make_spool
	run --separate-stderr cx-uninstall t
	[ "$status" -eq 111 ]
	run --separate-stderr cx-uninstall t --force
	[ "$status" -eq 0 ] || { dump; return 1; }
	[[ $stderr == *"stay there"* ]]
	[ ! -e "$CX_SPOOL" ]
}
