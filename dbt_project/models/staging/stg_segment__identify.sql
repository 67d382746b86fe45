{{ staged_copies('identify') }}
