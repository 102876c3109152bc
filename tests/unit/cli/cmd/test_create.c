/* SPDX-License-Identifier: Apache-2.0 */
/* What launch, init and copy ask the server for: the whole body of the request. */
#include "tests/unit/cli/server_world.h"

#define FP "abcd000000000000000000000000000000000000000000000000000000000000"
#define ALIAS SAYS("GET /1.0/images/aliases/img", "{\"target\":\"" FP "\"}")
#define ASK_ALIAS "GET /1.0/images/aliases/img\n"
#define POST "POST /1.0/instances"
#define OF_IMAGE "\"source\":{\"type\":\"image\",\"fingerprint\":\"" FP "\"}"
#define RUNS(meta) "{\"id\":\"op1\",\"status_code\":200" meta "}"
#define MADE                                                                       \
	{                                                                          \
		.request = POST,                                                   \
		.body = RUNS(",\"resources\":{\"instances\":[\"/1.0/instances/big" \
			     "-owl\"]}"),                                          \
		.status = 202                                                      \
	}

static void makes_of_an_image(void **state)
{
	static const struct dialogue cases[] = {
		{ "init img c1",
		  NULL,
		  { ALIAS, MADE },
		  "Creating c1\n",
		  ASK_ALIAS POST " {\"devices\":{},\"config\":{},\"type\":\"container\"," OF_IMAGE
				 ",\"name\":\"c1\"}\n" },
		{ "launch img c1",
		  NULL,
		  { ALIAS, MADE },
		  "Launching c1\n",
		  ASK_ALIAS POST " {\"devices\":{},\"config\":{},\"type\":\"container\"," OF_IMAGE
				 ",\"name\":\"c1\",\"start\":true}\n" },
		/* the server thinks of a name */
		{ "init img",
		  NULL,
		  { ALIAS, MADE },
		  "Creating the instance\nInstance name is: big-owl\n",
		  ASK_ALIAS POST " {\"devices\":{},\"config\":{},\"type\":\"container\"," OF_IMAGE
				 ",\"name\":\"\"}\n" },
		{ "init img --quiet", NULL, { ALIAS, MADE }, "", NULL },
		{ "init --empty c1",
		  NULL,
		  { MADE },
		  "Creating c1\n",
		  POST " {\"devices\":{},\"config\":{},\"type\":\"container\","
		       "\"source\":{\"type\":\"none\"},\"name\":\"c1\"}\n" },
		/* an image is looked for where the instance will be */
		{ "init img c1 --target m2",
		  NULL,
		  { SAYS("GET /1.0/images/aliases/img?target=m2", "{\"target\":\"" FP "\"}"),
		    { .request = POST "?target=m2", .body = RUNS(""), .status = 202 } },
		  "Creating c1\n",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static const struct dialogue puts_what_is_asked_for_cases[] = {
	{ "init --empty c1 -c limits.cpu=2 -c user.x=a=b --ephemeral -p p1 -p p2 "
	  "--description words --type c1.small",
	  NULL,
	  { MADE },
	  "Creating c1\n",
	  POST " {\"devices\":{},\"config\":{\"limits.cpu\":\"2\",\"user.x\":\"a=b\"},"
	       "\"profiles\":[\"p1\",\"p2\"],\"ephemeral\":true,\"description\":\"words\","
	       "\"instance_type\":\"c1.small\",\"type\":\"container\","
	       "\"source\":{\"type\":\"none\"},\"name\":\"c1\"}\n" },
	{ "init --empty c1 --no-profiles",
	  NULL,
	  { MADE },
	  "Creating c1\n",
	  POST " {\"devices\":{},\"config\":{},\"profiles\":[],\"type\":\"container\","
	       "\"source\":{\"type\":\"none\"},\"name\":\"c1\"}\n" },
	/* what is read is below what the options say; numbers become texts */
	{ "init --empty c1 -c a=2",
	  "config:\n  a: 1\n  b: true\ndescription: read\n",
	  { MADE },
	  "Creating c1\n",
	  POST " {\"config\":{\"a\":\"2\",\"b\":\"true\"},\"description\":\"read\","
	       "\"devices\":{},\"type\":\"container\",\"source\":{\"type\":\"none\"},"
	       "\"name\":\"c1\"}\n" },
	{ "init --empty c1 -s fast",
	  NULL,
	  { SAYS("GET /1.0/storage-pools/fast", "{}"), MADE },
	  "Creating c1\n",
	  "GET /1.0/storage-pools/fast\n" POST
	  " {\"devices\":{\"root\":{\"path\":\"/\",\"pool\":\"fast\",\"type\":\"disk\"}},"
	  "\"config\":{},\"type\":\"container\",\"source\":{\"type\":\"none\"},"
	  "\"name\":\"c1\"}\n" },
	/* what is read of it stays, whatever it is */
	{ "init --empty c1 -s fast",
	  "devices:\n  root: {colour: red, pool: slow}\n",
	  { SAYS("GET /1.0/storage-pools/fast", "{}"), MADE },
	  "Creating c1\n",
	  "GET /1.0/storage-pools/fast\n" POST
	  " {\"devices\":{\"root\":{\"colour\":\"red\",\"pool\":\"fast\",\"path\":\"/\","
	  "\"type\":\"disk\"}},\"config\":{},\"type\":\"container\","
	  "\"source\":{\"type\":\"none\"},\"name\":\"c1\"}\n" },
	{ "init --empty c1 -s none",
	  NULL,
	  { NOTHING },
	  "Error: no storage pool \"none\" (see dunlin storage list)\n",
	  "GET /1.0/storage-pools/none\n" },
	{ "init --empty c1 -s fast",
	  NULL,
	  { FAILS("GET /1.0/storage-pools/fast", "not now", 503) },
	  "Error: not now\n",
	  NULL },
	/* a network of ours, and a bridge of the host's */
	{ "init --empty c1 -n net",
	  NULL,
	  { SAYS("GET /1.0/networks/net", "{\"managed\":true}"), MADE },
	  "Creating c1\n",
	  "GET /1.0/networks/net\n" POST
	  " {\"devices\":{\"eth0\":{\"name\":\"eth0\",\"network\":\"net\","
	  "\"type\":\"nic\"}},\"config\":{},\"type\":\"container\","
	  "\"source\":{\"type\":\"none\"},\"name\":\"c1\"}\n" },
	{ "init --empty c1 -n br0",
	  NULL,
	  { SAYS("GET /1.0/networks/br0", "{\"managed\":false}"), MADE },
	  "Creating c1\n",
	  "GET /1.0/networks/br0\n" POST
	  " {\"devices\":{\"eth0\":{\"name\":\"eth0\",\"nictype\":\"bridged\","
	  "\"parent\":\"br0\",\"type\":\"nic\"}},\"config\":{},"
	  "\"type\":\"container\",\"source\":{\"type\":\"none\"},\"name\":\"c1\"}\n" },
	{ "init --empty c1 -n none",
	  NULL,
	  { NOTHING },
	  "Error: no network \"none\" (see dunlin network list)\n",
	  NULL },
	{ "init --empty c1 -c novalue",
	  NULL,
	  { NOTHING },
	  "Error: \"novalue\" is not of the form KEY=VALUE\n",
	  "" },
};

static void puts_what_is_asked_for(void **state)
{
	world_check(*state, puts_what_is_asked_for_cases, ARRAY_SIZE(puts_what_is_asked_for_cases));
}

#define WITH_NIC(mtu)                                                               \
	"{\"devices\":{\"eth0\":{\"type\":\"nic\",\"network\":\"n\",\"mtu\":\"" mtu \
	"\",\"name\":\"eth0\"}}}"

/* A key of a device that a profile has: the whole device goes to the instance. */
static void completes_devices_of_profiles(void **state)
{
	static const struct dialogue cases[] = {
		{ "init --empty c1 -d eth0,mtu=1400",
		  NULL,
		  { SAYS("GET /1.0/profiles/default", WITH_NIC("9000")), MADE },
		  "Creating c1\n",
		  "GET /1.0/profiles/default\n" POST
		  " {\"devices\":{\"eth0\":{\"mtu\":\"1400\",\"type\":\"nic\",\"network\":\"n\","
		  "\"name\":\"eth0\"}},\"config\":{},\"type\":\"container\","
		  "\"source\":{\"type\":\"none\"},\"name\":\"c1\"}\n" },
		/* the last profile that has it counts */
		{ "init --empty c1 -d eth0,name=e -p p1 -p p2 -p p3",
		  NULL,
		  { SAYS("GET /1.0/profiles/p1", WITH_NIC("1")),
		    SAYS("GET /1.0/profiles/p2", WITH_NIC("2")),
		    SAYS("GET /1.0/profiles/p3", "{\"devices\":{\"eth1\":{}}}"), MADE },
		  "Creating c1\n",
		  "GET /1.0/profiles/p1\nGET /1.0/profiles/p2\nGET /1.0/profiles/p3\n" POST
		  " {\"devices\":{\"eth0\":{\"name\":\"e\",\"type\":\"nic\",\"network\":\"n\","
		  "\"mtu\":\"2\"}},\"config\":{},\"profiles\":[\"p1\",\"p2\",\"p3\"],"
		  "\"type\":\"container\",\"source\":{\"type\":\"none\"},\"name\":\"c1\"}\n" },
		/* whoever gives the type means a device of his own */
		{ "init --empty c1 -d eth0,type=nic -d eth0,parent=br0",
		  NULL,
		  { MADE },
		  "Creating c1\n",
		  POST " {\"devices\":{\"eth0\":{\"type\":\"nic\",\"parent\":\"br0\"}},"
		       "\"config\":{},\"type\":\"container\",\"source\":{\"type\":\"none\"},"
		       "\"name\":\"c1\"}\n" },
		{ "init --empty c1 -d eth9,mtu=1400",
		  NULL,
		  { SAYS("GET /1.0/profiles/default", WITH_NIC("9000")) },
		  "Error: device \"eth9\" is in no profile of the instance: give its type too "
		  "(-d eth9,type=nic)\n",
		  NULL },
		{ "init --empty c1 -d data,path=/srv",
		  NULL,
		  { SAYS("GET /1.0/profiles/default", WITH_NIC("9000")) },
		  "Error: device \"data\" is in no profile of the instance: give its type too "
		  "(-d data,type=disk)\n",
		  NULL },
		{ "init --empty c1 -d data,colour=red",
		  NULL,
		  { SAYS("GET /1.0/profiles/default", WITH_NIC("9000")) },
		  "Error: device \"data\" is in no profile of the instance: give its type too "
		  "(-d data,type=TYPE)\n",
		  NULL },
		{ "init --empty c1 -d eth0,mtu=1400 --no-profiles",
		  NULL,
		  { NOTHING },
		  "Error: device \"eth0\" is in no profile of the instance: give its type too "
		  "(-d eth0,type=nic)\n",
		  "" },
		{ "init --empty c1 -d eth0,mtu=1400 -p gone",
		  NULL,
		  { FAILS("GET /1.0/profiles/gone", "no profile gone", 404) },
		  "Error: no profile gone\n",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void tells_where_and_why(void **state)
{
	static const struct dialogue cases[] = {
		{ "init --empty c1",
		  NULL,
		  { { .request = POST,
		      .body = RUNS(",\"metadata\":{\"placement\":{\"member\":\"m2\","
				   "\"reason\":\"most free memory\"}}"),
		      .status = 202 } },
		  "Creating c1\nPlaced on m2: most free memory\n",
		  NULL },
		/* who names the member needs no reason */
		{ "init --empty c1 --target m2",
		  NULL,
		  { { .request = POST "?target=m2",
		      .body = RUNS(",\"metadata\":{\"placement\":{\"member\":\"m2\","
				   "\"reason\":\"asked for\"}}"),
		      .status = 202 } },
		  "Creating c1\n",
		  NULL },
		{ "init --empty c1",
		  NULL,
		  { FAILS(POST, "instance \\\"c1\\\" exists already", 409) },
		  "Creating c1\nError: instance \"c1\" exists already\n",
		  NULL },
		{ "init --empty img c1",
		  NULL,
		  { NOTHING },
		  "Error: --empty takes no image: write only the name\n",
		  "" },
		{ "init far:img c1",
		  NULL,
		  { NOTHING },
		  "Error: no remote named \"far\" (see dunlin remote list)\n",
		  "" },
		{ "init img far:c1",
		  NULL,
		  { NOTHING },
		  "Error: no remote named \"far\" (see dunlin remote list)\n",
		  "" },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

#define C1                                                                               \
	SAYS("GET /1.0/instances/c1",                                                    \
	     "{\"name\":\"c1\",\"architecture\":\"x86_64\",\"profiles\":[\"p\"],"        \
	     "\"devices\":{},\"description\":\"d\",\"created_at\":\"then\",\"config\":{" \
	     "\"user.x\":\"y\",\"volatile.base_image\":\"ff\",\"volatile.uuid\":\"u\"}}")

/* What belongs to one instance alone stays with it. */
static void copies(void **state)
{
	static const struct dialogue cases[] = {
		{ "copy c1 c2",
		  NULL,
		  { C1, MADE },
		  "",
		  "GET /1.0/instances/c1\n" POST
		  " {\"architecture\":\"x86_64\",\"devices\":{},\"profiles\":[\"p\"],"
		  "\"description\":\"d\",\"config\":{\"user.x\":\"y\","
		  "\"volatile.base_image\":\"ff\"},\"source\":{\"type\":\"copy\","
		  "\"source\":\"c1\",\"base-image\":\"ff\"},\"name\":\"c2\","
		  "\"type\":\"container\"}\n" },
		{ "copy c1 --instance-only -c user.x=z",
		  NULL,
		  { C1, MADE },
		  "Instance name is: big-owl\n",
		  "GET /1.0/instances/c1\n" POST
		  " {\"architecture\":\"x86_64\",\"devices\":{},\"profiles\":[\"p\"],"
		  "\"description\":\"d\",\"config\":{\"user.x\":\"z\","
		  "\"volatile.base_image\":\"ff\"},\"source\":{\"type\":\"copy\","
		  "\"source\":\"c1\",\"base-image\":\"ff\",\"instance_only\":true},"
		  "\"name\":\"\",\"type\":\"container\"}\n" },
		{ "copy none c2",
		  NULL,
		  { NOTHING },
		  "Error: no instance \"none\" (see dunlin list)\n",
		  NULL },
		{ "copy c1 far:c2",
		  NULL,
		  { NOTHING },
		  "Error: no remote named \"far\" (see dunlin remote list)\n",
		  "" },
		{ "copy local: c2",
		  NULL,
		  { NOTHING },
		  "Error: the name of the instance is missing\n",
		  "" },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_of_an_image),
		cmocka_unit_test(puts_what_is_asked_for),
		cmocka_unit_test(completes_devices_of_profiles),
		cmocka_unit_test(tells_where_and_why),
		cmocka_unit_test(copies),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
