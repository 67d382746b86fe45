{{ staged_copies('page') }}
