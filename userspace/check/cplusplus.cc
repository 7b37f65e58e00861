// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library from C++: sessions and handles that are given back by destructors,
 * callbacks that are lambdas, constants and structs of the header as they are.
 */
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <refstore.h>

namespace {

#define CHECK(condition)						\
	do {								\
		if (!(condition))					\
			throw std::logic_error(#condition);		\
	} while (0)

template <typename T> T must(T ret)
{
	if (ret < 0)
		throw std::system_error(static_cast<int>(-ret),
					std::generic_category());
	return ret;
}

/* A C function that frees, as a deleter. */
template <auto function> struct Call {
	template <typename T> void operator()(T *pointer) const
	{
		function(pointer);
	}
};

using Iterator = std::unique_ptr<refstore_iter, Call<refstore_iter_free>>;
using Builder = std::unique_ptr<refstore_builder, Call<refstore_builder_free>>;

/* A handle, which moves, and is released with this. */
class Handle {
public:
	Handle(refstore *store, uint64_t handle) : store(store), handle(handle)
	{
	}
	Handle(Handle &&other) noexcept
		: store(other.store), handle(std::exchange(other.handle, 0))
	{
	}
	Handle(const Handle &) = delete;
	Handle &operator=(const Handle &) = delete;
	~Handle()
	{
		if (handle)
			refstore_release(store, handle);
	}

	uint64_t get() const
	{
		return handle;
	}
	uint64_t id() const
	{
		struct refstore_stat stat;

		must(refstore_stat(store, handle, &stat));
		return stat.id;
	}
	std::string text() const
	{
		std::string result(64, '\0');

		result.resize(static_cast<size_t>(must(
			refstore_read(store, handle, 0, result.data(),
				      result.size()))));
		return result;
	}

private:
	refstore *store;
	uint64_t handle;
};

class Session {
public:
	Session()
	{
		refstore *opened;

		must(refstore_open(&opened));
		store.reset(opened);
	}

	refstore *get() const
	{
		return store.get();
	}
	Handle create(std::string_view text)
	{
		refstore_spec spec = {};
		uint64_t handle;

		spec.type = REFSTORE_TYPE_STR;
		spec.data = text.data();
		spec.data_len = text.size();
		must(refstore_create(get(), &spec, &handle, nullptr));
		return Handle(get(), handle);
	}
	Handle root()
	{
		uint64_t handle;

		must(refstore_get_root(get(), &handle));
		return Handle(get(), handle);
	}
	size_t objects() const
	{
		refstore_walk_object object;
		refstore_iter *iter;
		size_t count = 0;

		must(refstore_iter_objects(get(), 0, &iter));
		for (Iterator owner(iter);
		     must(refstore_iter_next_object(iter, &object));)
			count++;
		return count;
	}

private:
	std::unique_ptr<refstore, Call<refstore_close>> store;
};

void check_handles(Session &session)
{
	{
		Handle hello = session.create("hello");
		Handle moved = std::move(hello);

		CHECK(!hello.get() && moved.text() == "hello");
		must(refstore_set_root(session.get(), moved.get()));
	}
	CHECK(session.objects() == 1 && session.root().text() == "hello");
	must(refstore_set_root(session.get(), 0));
	CHECK(session.objects() == 0);
}

/* An exception, and everything is given back. */
void check_exception(Session &session)
{
	try {
		Handle leaf = session.create("leaf");

		must(refstore_set_slot(session.get(), leaf.get(), 0, 0));
	} catch (const std::system_error &error) {
		CHECK(error.code().value() == EOPNOTSUPP);
		CHECK(session.objects() == 0);
		return;
	}
	throw std::logic_error("a leaf has no slots");
}

void check_builder(Session &session)
{
	refstore_builder *made;

	must(refstore_builder_new(&made));

	const Builder builder(made);
	const uint64_t slots[] = { 0, 0, REFSTORE_RESULT(0) };
	refstore_spec spec = {};

	spec.type = REFSTORE_TYPE_LIST;
	must(refstore_builder_create(made, &spec));
	spec.slots = slots;
	spec.nr_slots = std::size(slots);
	must(refstore_builder_create(made, &spec));
	CHECK(must(refstore_builder_submit(made, session.get(), 0)) == 0);

	const Handle leaf(session.get(), refstore_builder_result(made, 0));
	const Handle list(session.get(), refstore_builder_result(made, 1));
	std::vector<uint64_t> ids;
	refstore_holder holder;
	refstore_iter *iter;

	must(refstore_iter_holders(session.get(), leaf.id(), &iter));
	for (Iterator owner(iter);
	     must(refstore_iter_next_holder(iter, &holder));)
		if (holder.kind == REFSTORE_HOLDER_SLOT)
			ids.push_back(holder.slot.from);
	CHECK(ids == std::vector<uint64_t>{ list.id() });
}

void check_callback(Session &session)
{
	uint64_t weak, dead = 0, id;

	{
		Handle object = session.create("mortal");

		id = object.id();
		must(refstore_watch(session.get(), object.get(),
				    [](refstore *store, uint64_t handle,
				       uint64_t what, void *data) {
					    must(refstore_unwatch(store,
								  handle));
					    *static_cast<uint64_t *>(data) =
						    what;
				    },
				    &dead, &weak));
	}
	CHECK(must(refstore_dispatch(session.get(), -1)) == 1);
	CHECK(dead == id);
}

} // namespace

int main()
{
	try {
		Session session;

		check_handles(session);
		check_exception(session);
		check_builder(session);
		check_callback(session);
		CHECK(session.objects() == 0);
	} catch (const std::exception &error) {
		std::fprintf(stderr, "%s\n", error.what());
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
