# The example app and the demo. Included by the Makefile behind check.mk.

HELLO = share/cx/examples/hello
HELLO_OUT = build/examples/hello
HELLO_C = -std=c17 -O2 -g0 -D_GNU_SOURCE -Wall -Wextra -static -s -pthread -Wl,--no-warnings

examples: $(HELLO_OUT)/web/web $(HELLO_OUT)/api/api $(HELLO_OUT)/convox.yml ## compile the example, ready to deploy in build/examples/hello

$(HELLO_OUT)/convox.yml: $(HELLO)/convox.yml $(wildcard $(HELLO)/*/Dockerfile) $(HELLO)/web/greeting
	$(Q)mkdir -p $(HELLO_OUT)/web $(HELLO_OUT)/api && cp -p $(HELLO)/web/Dockerfile $(HELLO)/web/greeting $(HELLO_OUT)/web/ && \
		cp -p $(HELLO)/api/Dockerfile $(HELLO_OUT)/api/ && cp $(HELLO)/convox.yml $@

# Static, so that the image needs nothing else. glibc's resolver alone needs no NSS.
$(HELLO_OUT)/web/web: $(addprefix $(HELLO)/src/,web.c fetch.c serve.c fetch.h serve.h)
	$(call say,STATIC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(HELLO_C) -o $@ $(filter %.c,$^) -lssl -lcrypto -lresolv
$(HELLO_OUT)/api/api: $(addprefix $(HELLO)/src/,api.c serve.c serve.h)
	$(call say,STATIC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(HELLO_C) -o $@ $(filter %.c,$^)

demo: deps-demo ## install a rack of its own, deploy the example, and prove that it works
	$(Q)$(MAKE) --no-print-directory all examples
	$(Q)share/cx/demo

deps-demo:
	$(call install_missing,$(DEPS_BUILD) $(DEPS_RUN) bind9-dnsutils)

demo-clean: ## remove all that the demo made, and prove it
	$(Q)share/cx/demo clean

.PHONY: demo demo-clean deps-demo examples
